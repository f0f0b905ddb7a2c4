import { readFileSync } from 'node:fs';
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

/** With a user who may do no more than what docs/outages.md grants. */
function redisUserKind(): StoreKind {
  let redis: TestRedis;
  let places = 0;
  return {
    name: 'Redis as a user of its own',
    async begin() {
      redis = await startRedis();
      await redis.command('ACL', ...documentedAclRule('place-*'));
    },
    end: () => redis.stop(),
    newPlace: () => {
      const prefix = `place-${++places}`;
      return { open: () => openRedisStore(redis.url.replace('//', '//keygate:password@'), { prefix }) };
    },
  };
}

/** The words after ACL in the rule of docs/outages.md, for another prefix. */
export function documentedAclRule(prefix: string): string[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/outages.md'), 'utf8');
  const rule = /^ACL (SETUSER keygate .*)$/m.exec(page)?.[1];
  if (rule === undefined) throw new Error('docs/outages.md has no ACL rule');
  return rule.replace('~{keygate}:*', `~{${prefix}}:*`).split(' ');
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
  return [redisKind(), redisUserKind(), sqliteKind()];
}
