import type { KeyService } from '../../src/keys/service.ts';
import type { KeyStore } from '../../src/store/port.ts';
import { openKeyService } from './key-service.ts';
import { startRedis } from './redis.ts';
import type { TestRedis } from './redis.ts';
import type { Scope } from './scope.ts';
import { openRedisStore } from './stores.ts';

/** A Redis of its own, and the keys in it that gateways find which are told its URL and nothing else of it. */
export interface RedisKeys {
  readonly redis: TestRedis;
  readonly store: KeyStore;
  readonly keys: KeyService;
}

/** What gateways look for if they are told no other. */
export const DEFAULT_PREFIX = 'keygate';

export async function startRedisKeys(t: Scope): Promise<RedisKeys> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const store = openRedisStore(redis.url, { prefix: DEFAULT_PREFIX, commandTimeoutMs: 5_000 });
  t.after(() => store.close());
  return { redis, store, keys: openKeyService(store) };
}
