import { dirname, normalize } from 'node:path/posix';
import { readImports } from './read-imports.ts';

/**
 * A room is a folder of src, or one file that others may import without its folder. Each room lists the rooms it may
 * import; imports within a room are free as long as they make no cycle. Read from top to bottom this is the direction:
 * what a request meets first knows the least, and only the rooms at the end know the configuration and the telemetry.
 * A room that must know more gets a word here, where a reviewer sees it.
 */
export type Rooms = Readonly<Record<string, readonly string[]>>;

const MODEL = ['credential', 'keys/scope.ts', 'keys/record.ts', 'keys/answer.ts'] as const;
const REQUEST = ['verdict', 'budget', 'headers.ts', 'gate.ts', 'reply', 'upstream', 'plane'] as const;
const STORES = [
  'store/port.ts',
  'store/replica-port.ts',
  'store/usage-port.ts',
  'store',
  'keys',
  'keys/seal.ts',
  'cache',
  'replica',
  'usage',
] as const;
const EDGES = [
  'version.ts',
  'clock.ts',
  'key-options.ts',
  'plane-options.ts',
  'reload.ts',
  'listening.ts',
  'store-monitor.ts',
] as const;

export const ROOMS: Rooms = {
  credential: [],
  'near.ts': [],
  'patient-timeout.ts': [],
  'log-levels.ts': [],
  'keys/scope.ts': [],
  'keys/record.ts': ['credential', 'keys/scope.ts'],
  'keys/order.ts': ['keys/record.ts'],
  'keys/answer.ts': ['credential', 'keys/record.ts'],
  'keys/audit.ts': ['keys/record.ts'],
  'keys/seal.ts': ['credential', 'keys/scope.ts', 'keys/record.ts'],
  verdict: ['keys/scope.ts', 'keys/record.ts', 'keys/answer.ts'],
  'budget/bucket.ts': [],
  budget: ['keys/scope.ts', 'keys/record.ts', 'verdict', 'budget/bucket.ts'],
  'headers.ts': ['credential', 'keys/record.ts'],
  'grpc-type.ts': [],

  'store/replica-port.ts': ['credential'],
  'store/usage-port.ts': [],
  'store/port.ts': ['credential', 'keys/record.ts', 'keys/audit.ts', 'store/replica-port.ts', 'store/usage-port.ts'],
  store: [
    'patient-timeout.ts',
    'credential',
    'keys/record.ts',
    'keys/order.ts',
    'keys/audit.ts',
    'store/port.ts',
    'store/replica-port.ts',
    'store/usage-port.ts',
  ],
  keys: [...MODEL, 'keys/order.ts', 'keys/audit.ts', 'keys/seal.ts', 'store/port.ts', 'store/usage-port.ts'],
  cache: [...MODEL, 'patient-timeout.ts', 'store/port.ts', 'budget/bucket.ts'],
  usage: ['keys/record.ts', 'store/usage-port.ts'],

  replica: [...MODEL, 'verdict', 'keys', 'store/port.ts', 'store/replica-port.ts'],

  'gate.ts': [...MODEL, 'verdict'],
  reply: ['credential', 'verdict', 'headers.ts', 'grpc-type.ts'],
  upstream: ['verdict', 'headers.ts', 'grpc-type.ts'],
  'plane/otlp-paths.ts': ['keys/record.ts'],
  plane: [
    'credential',
    'plane/otlp-paths.ts',
    'keys/scope.ts',
    'keys/record.ts',
    'verdict',
    'budget/bucket.ts',
    'headers.ts',
    'grpc-type.ts',
    'gate.ts',
    'reply',
    'upstream',
  ],

  /** For proxies that relay requests themselves: the same gate, routes, replies and reports as the library plane's. */
  authorizer: ['credential', 'keys/scope.ts', 'verdict', 'headers.ts', 'gate.ts', 'reply', 'plane'],

  config: [
    'near.ts',
    'log-levels.ts',
    'credential',
    'keys/scope.ts',
    'keys/record.ts',
    'keys/seal.ts',
    'plane/otlp-paths.ts',
  ],
  traffic: ['keys/record.ts', 'verdict', 'plane'],
  telemetry: [
    'log-levels.ts',
    ...MODEL,
    'keys/audit.ts',
    'verdict',
    'store/port.ts',
    'cache',
    'replica',
    'usage',
    'upstream',
    'plane',
    'traffic',
    'reload.ts',
  ],
  admin: [
    'near.ts',
    'log-levels.ts',
    'credential',
    'keys/scope.ts',
    'keys/record.ts',
    'keys/audit.ts',
    'verdict',
    'gate.ts',
    'store/port.ts',
    'store/replica-port.ts',
    'store/usage-port.ts',
    'keys',
    'replica',
    'traffic',
  ],

  /** The pages of the console and who is signed in. It uses the admin API as others do, and only its answers and roles. */
  console: ['keys/record.ts', 'budget/bucket.ts', 'gate.ts', 'admin'],

  'version.ts': [],
  'store-monitor.ts': [],
  'clock.ts': [],
  'listening.ts': ['plane'],
  'key-options.ts': ['credential', 'keys/seal.ts', 'config'],
  'standing.ts': [],
  'upstreams.ts': ['plane', 'upstream', 'config', 'standing.ts'],
  'wire-upstreams.ts': ['headers.ts', 'plane', 'upstream', 'config', 'telemetry', 'standing.ts'],
  'data-path.ts': [
    'headers.ts',
    'plane',
    'upstream',
    'config',
    'plane-options.ts',
    'upstreams.ts',
    'wire-upstreams.ts',
  ],
  'plane-options.ts': ['config', 'plane', 'upstream', 'listening.ts'],
  'authz-options.ts': ['config', 'plane', 'authorizer', 'plane-options.ts'],
  'reload.ts': ['config', 'plane-options.ts'],
  'open-snapshot.ts': ['cache', 'config', 'telemetry'],
  'admin-server.ts': ['credential', 'gate.ts', 'admin', 'console', 'telemetry', 'version.ts'],
  'known-keys.ts': [...MODEL, ...STORES, 'config', 'telemetry', 'open-snapshot.ts', ...EDGES],
  'front.ts': [
    ...MODEL,
    ...REQUEST,
    'authorizer',
    'authz-options.ts',
    'config',
    'traffic',
    'telemetry',
    'data-path.ts',
    'known-keys.ts',
    ...EDGES,
  ],
  'back.ts': [...MODEL, ...STORES, 'plane', 'admin-server.ts', 'config', 'telemetry', 'known-keys.ts', ...EDGES],
  // What the processes of one gateway say to each other, and how there come to be as many as there should be.
  workers: [
    'log-levels.ts',
    'credential',
    'keys/record.ts',
    'budget',
    'plane',
    'traffic',
    'telemetry',
    'config',
    'listening.ts',
    'reload.ts',
  ],
  'app.ts': ['keys', 'plane', 'authorizer', 'config', 'telemetry', 'known-keys.ts', 'front.ts', 'back.ts', ...EDGES],

  'office.ts': [
    'authz-options.ts',
    'log-levels.ts',
    ...MODEL,
    'plane',
    'traffic',
    'telemetry',
    'config',
    'known-keys.ts',
    'back.ts',
    'app.ts',
    'workers',
    ...EDGES,
  ],
  'worker.ts': [
    ...MODEL,
    'plane',
    'authorizer',
    'traffic',
    'telemetry',
    'config',
    'known-keys.ts',
    'front.ts',
    'workers',
    ...EDGES,
  ],

  dev: ['keys/record.ts', 'plane/otlp-paths.ts'],
  'dev/dev-mode.ts': ['config', 'keys', 'app.ts', 'dev', ...EDGES],
  cli: [
    'log-levels.ts',
    ...MODEL,
    'keys/audit.ts',
    'verdict',
    ...STORES,
    'admin',
    'config',
    'telemetry',
    'app.ts',
    'office.ts',
    'worker.ts',
    'workers',
    'dev/dev-mode.ts',
    ...EDGES,
  ],
  'main.ts': ['cli', 'workers'],
};

/** The rooms that may know each package; a package that is not here has not been decided on. */
export const PACKAGES: Rooms = {
  ioredis: ['store/redis'],
  'node:sqlite': ['store/sqlite'],
  'lru-cache': ['cache', 'budget'],
  'http-proxy': ['upstream'],
  '@grpc/grpc-js': ['upstream', 'plane', 'authorizer', 'dev'],
  pino: ['telemetry'],
  'prom-client': ['telemetry'],
  commander: ['cli'],
  yaml: ['config', 'cli'],
  zod: ['replica', 'keys/record.ts', 'keys/audit.ts', 'keys/transfer.ts', 'config', 'admin', 'console', 'cli'],
};

export const MAX_LINES = 300;

/** Source texts by their path below src. */
export type Sources = ReadonlyMap<string, string>;

/** All that is wrong with these sources, one sentence each. */
export function findFaults(sources: Sources, rooms: Rooms = ROOMS, packages: Rooms = PACKAGES): string[] {
  const graph = new Map<string, string[]>();
  const faults: string[] = [];

  for (const [file, source] of sources) {
    if (roomOf(file, rooms) === undefined) faults.push(`${file} is in no room`);
    faults.push(...faultsOfText(file, source));
    const targets: string[] = [];
    for (const specifier of readImports(source)) {
      if (!specifier.startsWith('.')) {
        faults.push(...faultsOfPackage(file, specifier, packages));
        continue;
      }
      const target = normalize(`${dirname(file)}/${specifier}`);
      targets.push(target);
      faults.push(...faultsOfFile(file, target, sources, rooms));
    }
    graph.set(file, targets);
  }
  return [...faults, ...findCycles(graph).map((cycle) => `cycle: ${cycle.join(' -> ')}`)];
}

function faultsOfText(file: string, source: string): string[] {
  const faults: string[] = [];
  const lines = source.split('\n').length - 1;
  if (lines > MAX_LINES) faults.push(`${file} has ${lines} lines, more than ${MAX_LINES}`);
  if (/^export default\b|^export\s*\{[^}]*\bas default\b/m.test(source)) faults.push(`${file} has a default export`);
  return faults;
}

function faultsOfPackage(file: string, specifier: string, packages: Rooms): string[] {
  const name = packageOf(specifier);
  const allowed = packages[name];
  if (allowed === undefined) {
    return name.startsWith('node:') ? [] : [`${file} imports ${name}, which no room may`];
  }
  return allowed.some((room) => isIn(file, room))
    ? []
    : [`${file} imports ${name}, which only ${allowed.join(', ')} may`];
}

function faultsOfFile(file: string, target: string, sources: Sources, rooms: Rooms): string[] {
  if (!target.endsWith('.ts')) return [`${file} imports ${target} without the ending .ts`];
  if (!sources.has(target)) return [`${file} imports ${target}, which does not exist`];
  const from = roomOf(file, rooms);
  const to = roomOf(target, rooms);
  if (from === undefined || to === undefined) return []; // said once, of the file itself
  return from === to || rooms[from]?.includes(to) ? [] : [`${file} imports ${target}: ${from} may not know ${to}`];
}

/** '@scope/name/sub' is '@scope/name', 'name/sub' is 'name'; Node's own modules keep their subpath. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isIn(file: string, room: string): boolean {
  return file === room || file.startsWith(`${room}/`);
}

/** The narrowest room wins: keys/record.ts is its own, though it lies in keys. */
function roomOf(file: string, rooms: Rooms): string | undefined {
  return Object.keys(rooms)
    .filter((room) => isIn(file, room))
    .reduce<string | undefined>((best, room) => (room.length > (best?.length ?? 0) ? room : best), undefined);
}

/** Every file is walked from once; meeting a file that is still on the path closes a cycle. */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();

  function walk(file: string, path: readonly string[]): void {
    const start = path.indexOf(file);
    if (start !== -1) {
      cycles.push([...path.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) walk(target, [...path, file]);
    done.add(file);
  }

  for (const file of graph.keys()) walk(file, []);
  return cycles;
}
