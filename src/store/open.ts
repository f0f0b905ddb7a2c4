import { readFileSync } from 'node:fs';
import { StoreError } from './port.ts';
import type { KeyStore, StoreObserver } from './port.ts';
import { parseEndpoint, parseRedisUrl } from './redis/server.ts';
import type { RedisServer } from './redis/server.ts';
import { createRedisStore } from './redis/store.ts';
import { createSqliteStore } from './sqlite/store.ts';

/** Where Redis is and how to log in, as configured: one of `url`, `sentinels` with `master`, and `nodes`. */
export interface RedisChoice {
  readonly url: string | null;
  readonly sentinels: readonly string[];
  readonly master: string | null;
  readonly nodes: readonly string[];
  readonly user: string | null;
  readonly password: string | null;
  readonly sentinelUser: string | null;
  readonly sentinelPassword: string | null;
  readonly database: number;
  readonly tls: boolean;
  /** PEM files, as are `cert` and `key`. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly prefix: string;
  readonly connectTimeout: number;
  readonly commandTimeout: number;
  readonly socketTimeout: number;
  readonly minReplicas: number;
}

/** The part of the configuration that says where keys are kept; durations in milliseconds. */
export interface StoreChoice {
  /** Takes the place of sqlite when it is there. */
  readonly redis: RedisChoice | null;
  readonly sqlite: { readonly path: string };
}

export interface OpenStoreDeps {
  readonly observe?: StoreObserver;
}

/** Opens the configured store. Throws only for what no waiting can heal: a file that cannot be used. */
export function openStore({ redis, sqlite }: StoreChoice, { observe }: OpenStoreDeps = {}): KeyStore {
  if (redis === null) return createSqliteStore({ path: sqlite.path, observe });
  return createRedisStore({
    server: redisServer(redis),
    prefix: redis.prefix,
    connectTimeoutMs: redis.connectTimeout,
    commandTimeoutMs: redis.commandTimeout,
    socketTimeoutMs: redis.socketTimeout,
    minReplicas: redis.minReplicas,
    observe,
  });
}

/** The configuration has made sure that there is one way to Redis; what its URL leaves out is in options of their own. */
function redisServer(redis: RedisChoice): RedisServer {
  const url = redis.url === null ? undefined : parseRedisUrl(redis.url);
  const files = { ca: readPem('ca', redis), cert: readPem('cert', redis), key: readPem('key', redis) };
  const common = {
    login: { user: redis.user ?? undefined, password: redis.password ?? undefined, ...url?.login },
    database: url?.database || redis.database,
    tls: redis.tls || url?.isTls ? files : undefined,
  };
  if (url !== undefined) return { ...common, whereabouts: { kind: 'standalone', endpoint: url.endpoint } };
  if (redis.nodes.length > 0) {
    return { ...common, whereabouts: { kind: 'cluster', nodes: redis.nodes.map(parseEndpoint) } };
  }
  const login = { user: redis.sentinelUser ?? undefined, password: redis.sentinelPassword ?? undefined };
  const sentinels = redis.sentinels.map(parseEndpoint);
  return { ...common, whereabouts: { kind: 'sentinel', sentinels, master: redis.master ?? '', login } };
}

function readPem(option: 'ca' | 'cert' | 'key', redis: RedisChoice): string | undefined {
  const path = redis[option];
  if (path === null) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new StoreError(
      'unavailable',
      `The file of store.redis.${option} cannot be read: ${path}. Set it to a PEM file.`,
      cause,
    );
  }
}
