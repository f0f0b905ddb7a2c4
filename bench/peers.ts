import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { configSchema } from '../src/config/schema.ts';
import type { KnownKeys } from './known-keys.ts';
import { freePort, MEASURED_CORE, portOf, startProgram, startScript, untilListening } from './processes.ts';

/** The servers that are measured, each in front of the collector on the same two ports. Their configurations are in peers/. */
export interface Peer {
  readonly name: PeerName;
  readonly label: string;
  /** Says why there is no such server, if there is none. */
  readonly missing?: string | undefined;
  /** It asks the store for keys, so that they can be revoked. */
  readonly knowsKeys: boolean;
  start(place: Place): Promise<RunningPeer>;
}

export type PeerName = 'wire' | 'library' | 'nginx' | 'haproxy';

export interface Place {
  readonly directory: string;
  readonly keys: KnownKeys;
  /** The ports of the collector. */
  readonly sink: { readonly grpc: number; readonly http: number };
  readonly certificate: { readonly certPath: string; readonly keyPath: string; readonly bundlePath: string };
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
  keygate('wire'),
  keygate('library'),
  {
    name: 'nginx',
    label: 'nginx + Lua + lrucache + Redis',
    knowsKeys: true,
    start: (place) =>
      startProxy('nginx', place, (file) => ['nginx', '-c', file, '-p', place.directory, '-e', 'stderr']),
  },
  {
    name: 'haproxy',
    label: 'HAProxy, one static key',
    knowsKeys: false,
    start: (place) => startProxy('haproxy', place, (file) => ['haproxy', '-db', '-f', file]),
  },
];

function keygate(plane: 'wire' | 'library'): Peer {
  const hasPlanes = 'plane' in configSchema.shape;
  return {
    name: plane,
    label: `Keygate, ${plane} plane`,
    missing: plane === 'wire' && !hasPlanes ? 'there is no wire plane yet' : undefined,
    knowsKeys: true,
    async start(place) {
      const file = await fill('keygate.yaml', `keygate-${plane}.yaml`, place, { PLANE: plane });
      if (!hasPlanes) await writeFile(file, readFileSync(file, 'utf8').replace(/^plane: .*\n/m, ''));
      const main = join(root, 'src/main.ts');
      const args = ['serve', '--config', file];
      const { line, ...started } = await startScript(MEASURED_CORE, main, args, (each) =>
        each.includes('address_grpc'),
      );
      const serving = JSON.parse(line) as Record<'address_grpc' | 'address_http', string>;
      return { ...started, name: plane, grpc: portOf(serving.address_grpc), http: portOf(serving.address_http) };
    },
  };
}

async function startProxy(
  name: 'nginx' | 'haproxy',
  place: Place,
  commandOf: (file: string) => readonly [command: string, ...args: string[]],
): Promise<RunningPeer> {
  const [grpc, http, tls] = [await freePort(), await freePort(), await freePort()];
  const ports = { GRPC_PORT: grpc, HTTP_PORT: http, TLS_PORT: tls };
  const file = await fill(name === 'nginx' ? 'nginx.conf' : 'haproxy.cfg', name, place, ports);
  const [command, ...args] = commandOf(file);
  const started = startProgram(MEASURED_CORE, command, args);
  for (const port of [grpc, http]) await untilListening(port, started);
  return { ...started, name, grpc, http };
}

/** Writes a configuration of peers/ with what is known only now. */
export async function fill(
  template: string,
  name: string,
  place: Place,
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
    CERTIFICATE_AND_KEY: certificate.bundlePath,
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
