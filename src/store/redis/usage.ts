import type { KeyUsage, UsageStore } from '../usage-port.ts';
import { readUsage, writeUsage } from '../usage-text.ts';
import type { Connection } from './connection.ts';
import type { StoreIdentity } from './identity.ts';
import { keysOfWriters } from './scripts.ts';
import type { KeyNames } from './scripts.ts';

const IDS_PER_READ = 500;

export interface RedisUsageOptions {
  readonly connection: Connection;
  readonly keys: KeyNames;
  readonly identity: StoreIdentity;
}

/** The use of keys, in a hash beside their records. */
export function createRedisUsage({ connection, keys, identity }: RedisUsageOptions): UsageStore {
  const writeKeys = keysOfWriters(keys);
  return {
    async record(uses) {
      const stated = uses.flatMap((use) => [use.id, writeUsage(use)]);
      const reply = await connection.run((redis) => redis.keygateUse(...writeKeys, identity.expected ?? '', ...stated));
      identity.outcomeOf(reply);
    },

    async read(ids) {
      const found = new Map<string, KeyUsage>();
      for (let i = 0; i < ids.length; i += IDS_PER_READ) {
        const some = ids.slice(i, i + IDS_PER_READ);
        const texts = await connection.run((redis) => redis.hmget(keys.usage, ...some));
        for (const [at, id] of some.entries()) {
          const usage = readUsage(texts[at] ?? 'none');
          if (usage !== undefined) found.set(id, usage);
        }
      }
      return found;
    },
  };
}
