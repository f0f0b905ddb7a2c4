import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../src/config/schema.ts';
import type { KnownKeys } from './known-keys.ts';
import { freePort, MEASURED_CORE, portOf, startProgram, untilListening } from './processes.ts';

/** The servers that are measured, each in front of the collector on the same two ports. Their configurations are in peers/. */
export interface Peer {
  readonly name: PeerName;
  readonly label: string;
  /** It asks the store for keys, so that they can be revoked. */
  readonly knowsKeys: boolean;
  start(place: Place, options?: StartOptions): Promise<RunningPeer>;
}

export type PeerName = 'wire' | 'library' | 'nginx' | 'haproxy';

export interface Place {
  /** What runs the command line of Keygate. */
  readonly keygate: readonly [command: string, ...args: string[]];
  readonly directory: string;
  readonly keys: KnownKeys;
  /** The ports of the collector. */
  readonly sink: { readonly grpc: number; readonly http: number };
  readonly certificate: { readonly certPath: string; readonly keyPath: string; readonly bundlePath: string };
}

export interface StartOptions {
  /** Speaks TLS on the port for gRPC. */
  readonly isTls?: boolean;
  /** Of Keygate: so many processes serve, on whatever core; if absent, one does on the core of its own. */
  readonly workers?: Config['workers'];
}

export interface RunningPeer {
  readonly name: PeerName;
  readonly pid: number;
  readonly grpc: number;
  readonly http: number;
  stop(): Promise<void>;
}

const root = dirname(import.meta.dirname);
const MAX_FILES = 16_384;

export const PEERS: readonly Peer[] = [
  { name: 'wire', label: 'Keygate, wire plane', knowsKeys: true, start: (...how) => startKeygate('wire', ...how) },
  {
    name: 'library',
    label: 'Keygate, library plane',
    knowsKeys: true,
    start: (...how) => startKeygate('library', ...how),
  },
  { name: 'nginx', label: 'nginx + Lua + lrucache + Redis', knowsKeys: true, start: startNginx },
  { name: 'haproxy', label: 'HAProxy, one static key', knowsKeys: false, start: startHaproxy },
];

export async function startKeygate(
  plane: 'wire' | 'library',
  place: Place,
  { isTls = false, workers }: StartOptions = {},
): Promise<RunningPeer> {
  const { certPath, keyPath } = place.certificate;
  const name = [plane, ...(isTls ? ['tls'] : []), ...(workers === undefined ? [] : [workers])].join('-');
  const file = await fill('keygate.yaml', `keygate-${name}.yaml`, place, {
    PLANE: plane,
    WORKERS: workers ?? 1,
    REPLICA: name,
    TLS: isTls ? `{ cert: ${certPath}, key: ${keyPath} }` : 'null',
  });
  const [command, ...args] = place.keygate;
  const core = workers === undefined ? MEASURED_CORE : undefined;
  const started = startProgram(core, command, [...args, 'serve', '--config', file]);
  const line = await started.line((each) => each.includes('address_grpc'));
  const serving = JSON.parse(line) as Record<'address_grpc' | 'address_http', string>;
  return { ...started, name: plane, grpc: portOf(serving.address_grpc), http: portOf(serving.address_http) };
}

async function startNginx(place: Place, { isTls = false }: StartOptions = {}): Promise<RunningPeer> {
  const ports = { GRPC_PORT: await freePort(), HTTP_PORT: await freePort() };
  const file = await fill('nginx.conf', `nginx-${ports.GRPC_PORT}.conf`, place, { ...ports, SSL: isTls ? 'ssl' : '' });
  return startProxy('nginx', ports, 'nginx', '-c', file, '-p', place.directory, '-e', 'stderr');
}

async function startHaproxy(place: Place, { isTls = false }: StartOptions = {}): Promise<RunningPeer> {
  const ports = { GRPC_PORT: await freePort(), HTTP_PORT: await freePort() };
  const speaks = isTls ? `ssl crt ${place.certificate.bundlePath} alpn h2` : 'proto h2';
  const file = await fill('haproxy.cfg', `haproxy-${ports.GRPC_PORT}.cfg`, place, { ...ports, SPEAKS: speaks });
  return startProxy('haproxy', ports, 'haproxy', '-db', '-f', file);
}

async function startProxy(
  name: 'nginx' | 'haproxy',
  { GRPC_PORT: grpc, HTTP_PORT: http }: { readonly GRPC_PORT: number; readonly HTTP_PORT: number },
  command: string,
  ...args: readonly string[]
): Promise<RunningPeer> {
  const started = startProgram(MEASURED_CORE, command, args);
  for (const port of [grpc, http]) await untilListening(port, started);
  return { ...started, name, grpc, http };
}

/** Writes a configuration of peers/ with what is known only now. */
export async function fill(
  template: string,
  name: string,
  place: Omit<Place, 'keygate'>,
  more: Readonly<Record<string, string | number>>,
): Promise<string> {
  const { directory, keys, sink, certificate } = place;
  const values: Readonly<Record<string, string | number>> = {
    DIRECTORY: directory,
    PEERS: join(root, 'bench/peers'),
    MAX_FILES,
    REDIS_PORT: keys.redisPort,
    PREFIX: keys.prefix,
    KEY: keys.good.text,
    KEY_ID: keys.good.record.id,
    KEY_NAME: keys.good.record.name,
    SINK_GRPC: sink.grpc,
    SINK_HTTP: sink.http,
    CERTIFICATE: certificate.certPath,
    PRIVATE_KEY: certificate.keyPath,
    ...more,
  };
  const text = readFileSync(join(root, 'bench/peers', template), 'utf8').replaceAll(/\$\{([A-Z_]+)\}/g, (_, each) => {
    const value = values[each];
    if (value === undefined) throw new Error(`${template} asks for ${each}, which nobody knows`);
    return String(value);
  });
  const file = join(directory, name);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}
