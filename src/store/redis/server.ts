import { isIP } from 'node:net';
import { StoreError } from '../port.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Login {
  /** The ACL user; Redis' "default" if there is only a password. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** All in PEM; the system's authorities if none are given. */
export interface RedisTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** How the one server is found that has our keys: it is given, Sentinels know it, or nodes of a Cluster do. */
export type Whereabouts =
  | { readonly kind: 'standalone'; readonly endpoint: Endpoint }
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly Endpoint[];
      /** The name under which they know the primary. */
      readonly master: string;
      /** Sentinels have users of their own. */
      readonly login: Login;
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly Endpoint[] };

export interface RedisServer {
  readonly whereabouts: Whereabouts;
  readonly login: Login;
  readonly database: number;
  /** For Redis and Sentinels alike; plaintext if not given. */
  readonly tls?: RedisTls | undefined;
}

/** Where to connect to, with what Node and ioredis both need for TLS; TLS names hosts, never addresses. */
export function socketOptions({ host, port }: Endpoint, tls: RedisTls | undefined) {
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return { host, port, ...(tls && { tls: { ...servername, ...tls } }) };
}

/** `host:port`, the host of an IPv6 address in brackets. */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { host: withoutBrackets(text.slice(0, colon)), port: Number(text.slice(colon + 1)) };
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export interface RedisUrl {
  readonly endpoint: Endpoint;
  readonly login: Login;
  readonly database: number;
  readonly isTls: boolean;
}

/**
 * Read here and not by ioredis, which would let the URL's query override every option of ours. What is wrong with it is
 * not repeated: it holds the password.
 */
export function parseRedisUrl(url: string): RedisUrl {
  const parsed = tryParse(url);
  if (parsed !== undefined) return parsed;
  throw new StoreError(
    'unavailable',
    'store.redis.url must be redis://[user:password@]host:port[/db], or rediss://… for TLS.',
  );
}

function tryParse(url: string): RedisUrl | undefined {
  try {
    const { protocol, hostname, port, username, password, pathname } = new URL(url);
    const host = withoutBrackets(hostname);
    const isOurs = protocol === 'redis:' || protocol === 'rediss:';
    if (!isOurs || host === '' || !/^\/?[0-9]*$/.test(pathname)) return undefined;
    return {
      endpoint: { host, port: port === '' ? 6379 : Number(port) },
      login: {
        ...(username !== '' && { user: decodeURIComponent(username) }),
        ...(password !== '' && { password: decodeURIComponent(password) }),
      },
      database: Number(pathname.slice(1)),
      isTls: protocol === 'rediss:',
    };
  } catch {
    return undefined;
  }
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
