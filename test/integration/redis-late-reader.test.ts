import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setUpCache } from '../support/key-cache.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { insertAll, newRecord, openRedisStore } from '../support/stores.ts';

/**
 * A gateway whose core is busy, with a thousand handshakes after an outage say, reads the replies of Redis late. They came in time:
 * nobody may be told that the store did not answer, and the breaker must not open.
 */
describe('a process that was busy for longer than it waits for Redis', () => {
  let redis: TestRedis;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  it('reads the reply that came meanwhile', async (t) => {
    const store = openRedisStore(redis.url, { commandTimeoutMs: 50 });
    t.after(() => store.close());
    const record = newRecord();
    await insertAll(store, [record], Date.now());
    for (let round = 0; round < 3; round++) {
      const found = store.find([record.digest]);
      beBusy(200);
      assert.deepEqual((await found)?.id, record.id);
    }
  });

  it('decides by it', async (t) => {
    const store = openRedisStore(redis.url, { commandTimeoutMs: 50 });
    t.after(() => store.close());
    const record = newRecord();
    await insertAll(store, [record], Date.now());
    const { ask } = setUpCache({ find: (digests) => store.find(digests), lookupTimeoutMs: 70, now: Date.now });
    const answer = ask(record.digest);
    beBusy(200);
    assert.equal((await answer).kind, 'known');
  });
});

/** For both: what was asked has left, and the answer is there long before anybody looks. */
function beBusy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
