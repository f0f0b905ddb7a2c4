import { isGrpcType } from '../../../src/grpc-type.ts';
import type { Arrival } from '../collector.ts';

/** How one request was answered, or why there was no answer. */
export interface Answer {
  /** Undefined if its stream was reset, or its connection ended, before that. */
  readonly status: number | undefined;
  readonly grpcStatus: string | undefined;
  /** The row of the reason table, if the gateway itself answered. */
  readonly reason: string | undefined;
  readonly hasTrailers: boolean;
  /** What went wrong on the level of the protocol: "reset 1", "goaway 9", "closed". */
  readonly fault: string | undefined;
}

/** What became of one case at one server. */
export interface Outcome {
  /** In the order in which they were asked for. */
  readonly answers: readonly Answer[];
  /** By the name of the request. */
  readonly arrivals: ReadonlyMap<string, Arrival>;
  /** Requests that came more than once, or under no name. */
  readonly strangers: readonly string[];
}

/**
 * Names every request of a case; the generators put it into each head, also into those that hide in bodies. It is one of the
 * fields that heads are remembered without, so that equal ones are known again.
 */
export const NAME_FIELD = 'x-request-id';

/** The message of every refusal ends with "(reason, request id)", whatever it is encoded in. */
export function reasonIn(text: string): string | undefined {
  return /\(([a-z_]+), (?:key|request) /.exec(text)?.[1];
}

/** What the collector got of the requests whose names begin so. */
export function arrivalsOf(all: readonly Arrival[], from: number, prefix: string) {
  const arrivals = new Map<string, Arrival>();
  const strangers: string[] = [];
  for (const arrival of all.slice(from)) {
    const names = arrival.headers[NAME_FIELD] ?? [];
    const name = names[0] ?? '';
    if (names.length === 1 && !name.startsWith(prefix)) continue; // of a case that runs at the same time
    if (names.length !== 1 || arrivals.has(name))
      strangers.push(names.join(' and ') || `${arrival.method} ${arrival.path}`);
    else arrivals.set(name, arrival);
  }
  return { arrivals, strangers };
}

/** How long the gateway waits, which the collector of a call without a limit is told. */
const UPSTREAM_TIMEOUT = '30000m';

/** Fields of one connection, and those by which the gateway tells the collector who sends. */
const NOT_RELAYED: ReadonlySet<string> = new Set([
  ':authority',
  ':method',
  ':path',
  ':scheme',
  'authorization',
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
]);

/** A request as the gateway hands it on, if this is how it was understood: the one list of what it strips and adds. */
export function asRelayed({ method, path, headers, bodySha256, bodyBytes }: Arrival, identity: readonly string[]) {
  const named = new Set(
    (headers['connection'] ?? []).flatMap((value) => value.split(',')).map((name) => name.trim().toLowerCase()),
  );
  const fields = Object.entries(headers).filter(([name]) => {
    const folded = name.replaceAll(/[^a-z0-9:]/g, '-'); // how readers further on may see it
    if (folded.startsWith('x-keygate-')) return false; // only the gateway may say it
    return !NOT_RELAYED.has(folded) && !named.has(name) && folded !== 'content-length';
  });
  const isGrpc = isGrpcType(headers['content-type']?.[0]) && headers[':path'] !== undefined;
  const timeout = isGrpc && headers['grpc-timeout'] === undefined ? [`grpc-timeout: ${UPSTREAM_TIMEOUT}`] : [];
  return {
    method,
    path: path.split('?')[0] ?? '',
    bodyBytes,
    bodySha256,
    fields: [...fields.map(([name, values]) => `${name}: ${joined(name, values)}`), ...identity, ...timeout].sort(),
  };
}

/** The same of what came through the gateway, where the identity is there already. */
export function asArrived({ method, path, headers, bodySha256, bodyBytes }: Arrival) {
  const fields = Object.entries(headers).filter(([name]) => !ADDED.has(name));
  return {
    method,
    path,
    bodyBytes,
    bodySha256,
    fields: fields.map(([name, values]) => `${name}: ${joined(name, values)}`).sort(),
  };
}

/** How the gateway speaks to its collector, whatever the sender said. */
const ADDED: ReadonlySet<string> = new Set([
  ':authority',
  ':method',
  ':path',
  ':scheme',
  'connection',
  'content-length',
  'host',
  'te',
  'transfer-encoding',
]);

/** Crumbs of a cookie are one field (RFC 9113 section 8.2.3). */
function joined(name: string, values: readonly string[]): string {
  return values.join(name === 'cookie' ? '; ' : ' | ');
}
