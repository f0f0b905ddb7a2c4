import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyStore } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { startRedis } from './redis.ts';
import type { TestRedis } from './redis.ts';
import { openRedisStore } from './stores.ts';

/** Where stores of one kind live: `open` may be called twice for one place. */
export interface Place {
  open(): KeyStore;
}

export interface StoreKind {
  readonly name: string;
  begin(): Promise<void>;
  end(): Promise<void>;
  newPlace(): Place;
}

function redisKind(): StoreKind {
  let redis: TestRedis;
  let places = 0;
  return {
    name: 'Redis',
    begin: async () => void (redis = await startRedis()),
    end: () => redis.stop(),
    newPlace: () => {
      const prefix = `place-${++places}`;
      return { open: () => openRedisStore(redis.url, { prefix }) };
    },
  };
}

function sqliteKind(): StoreKind {
  let directory: string;
  let places = 0;
  return {
    name: 'SQLite',
    begin: async () => void (directory = await mkdtemp(join(tmpdir(), 'keygate-sqlite-'))),
    end: () => rm(directory, { recursive: true }),
    newPlace: () => {
      const path = join(directory, `place-${++places}`, 'keygate.db');
      return { open: () => createSqliteStore({ path }) };
    },
  };
}

/** Every kind there is, for what all of them must do. */
export function storeKinds(): StoreKind[] {
  return [redisKind(), sqliteKind()];
}
