import { createDigester } from '../src/credential/digest.ts';
import { createKeyText } from '../src/credential/key-text.ts';
import type { CreatedKey } from '../src/keys/service.ts';
import type { KeyStore } from '../src/store/port.ts';
import { DEFAULT_PREFIX, startRedisKeys } from '../test/support/redis-keys.ts';
import type { Scope } from '../test/support/scope.ts';
import { insertAll, newRecord } from '../test/support/stores.ts';

/** A Redis of its own with that many keys, which Keygate and nginx both read. */
export interface KnownKeys {
  readonly redisPort: number;
  readonly prefix: string;
  /** Of all keys this one sends. */
  readonly good: CreatedKey;
  create(name: string): Promise<CreatedKey>;
  /** Many more, and their texts. */
  add(count: number): Promise<string[]>;
  revoke(key: CreatedKey): Promise<void>;
}

const ACTOR = { name: 'bench' };

/** So many new keys, all at once; resolves with their texts. */
export async function addKeys(store: KeyStore, count: number): Promise<string[]> {
  const digester = createDigester({});
  const texts = Array.from({ length: count }, () => createKeyText('ingestion'));
  await insertAll(
    store,
    texts.map((text) => newRecord({ digest: digester(text).digest })),
    Date.now(),
  );
  return texts;
}

export async function startKnownKeys(t: Scope, count: number): Promise<KnownKeys> {
  const { redis, store, keys } = await startRedisKeys(t);
  const create = (name: string) => keys.create({ kind: 'ingestion', name }, ACTOR);
  await insertAll(
    store,
    Array.from({ length: count }, () => newRecord()),
    Date.now(),
  );
  return {
    redisPort: redis.port,
    prefix: DEFAULT_PREFIX,
    good: await create('good'),
    create,
    add: (more) => addKeys(store, more),
    revoke: async ({ record }) => void (await keys.revoke('ingestion', record.id, ACTOR, { force: true })),
  };
}
