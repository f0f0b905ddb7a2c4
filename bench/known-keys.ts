import { randomBytes } from 'node:crypto';
import { createDigester } from '../src/credential/digest.ts';
import { createKeyText } from '../src/credential/key-text.ts';
import { createKeyService } from '../src/keys/service.ts';
import type { CreatedKey } from '../src/keys/service.ts';
import { startRedis } from '../test/support/redis.ts';
import { insertAll, newRecord, openRedisStore } from '../test/support/stores.ts';

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
  close(): Promise<void>;
}

const PREFIX = 'keygate';
const ACTOR = { name: 'bench' };

export async function startKnownKeys(count: number): Promise<KnownKeys> {
  const redis = await startRedis();
  const store = openRedisStore(redis.url, { prefix: PREFIX, commandTimeoutMs: 5_000 });
  const digester = createDigester({});
  const service = createKeyService({
    store,
    digester,
    now: Date.now,
    random: randomBytes,
    tombstoneMs: 86_400_000,
  });
  const create = (name: string) => service.create({ kind: 'ingestion', name }, ACTOR);
  await insertAll(
    store,
    Array.from({ length: count }, () => newRecord()),
    Date.now(),
  );
  return {
    redisPort: redis.port,
    prefix: PREFIX,
    good: await create('good'),
    create,
    async add(count) {
      const texts = Array.from({ length: count }, () => createKeyText('ingestion'));
      await insertAll(
        store,
        texts.map((text) => newRecord({ digest: digester(text).digest })),
        Date.now(),
      );
      return texts;
    },
    revoke: async ({ record }) => void (await service.revoke('ingestion', record.id, ACTOR, { force: true })),
    async close() {
      await store.close();
      await redis.stop();
    },
  };
}
