import { readFileSync } from 'node:fs';
import { StoreError } from './port.ts';
import type { KeyStore, StoreObserver } from './port.ts';
import { createRedisStore } from './redis/store.ts';
import { createSqliteStore } from './sqlite/store.ts';

/** The part of the configuration that says where keys are kept; durations in milliseconds. */
export interface StoreChoice {
  /** Takes the place of sqlite when it is there. */
  readonly redis: {
    readonly url: string;
    /** A PEM file. */
    readonly ca: string | null;
    readonly prefix: string;
    readonly connectTimeout: number;
    readonly commandTimeout: number;
    readonly socketTimeout: number;
  } | null;
  readonly sqlite: { readonly path: string };
}

export interface OpenStoreDeps {
  readonly observe?: StoreObserver;
}

/** Opens the configured store. Throws only for what no waiting can heal: a file that cannot be used. */
export function openStore({ redis, sqlite }: StoreChoice, { observe }: OpenStoreDeps = {}): KeyStore {
  if (redis === null) return createSqliteStore({ path: sqlite.path, observe });
  return createRedisStore({
    url: redis.url,
    ca: redis.ca === null ? undefined : readCa(redis.ca),
    prefix: redis.prefix,
    connectTimeoutMs: redis.connectTimeout,
    commandTimeoutMs: redis.commandTimeout,
    socketTimeoutMs: redis.socketTimeout,
    observe,
  });
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new StoreError(
      'unavailable',
      `The file of store.redis.ca cannot be read: ${path}. Set it to a PEM file.`,
      cause,
    );
  }
}
