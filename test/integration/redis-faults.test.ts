import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyCache } from '../../src/cache/key-cache.ts';
import { STORE_UNAVAILABLE } from '../../src/keys/answer.ts';
import { StoreError } from '../../src/store/port.ts';
import type { KeyStore } from '../../src/store/port.ts';
import type { RedisStoreOptions } from '../../src/store/redis/store.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { digestOf, ENTRY, IMPATIENT, newRecord, openRedisStore, revoked, serverAt } from '../support/stores.ts';
import { until } from '../support/wait.ts';

const NOW = 1_700_000_000_000;
/** No call may hang: the timeouts are 2 s at most, the rest is slack for a busy machine. */
const HANG_MS = 5_000;

describe('the Redis key store, when Redis fails', { timeout: 120_000 }, () => {
  let redis: TestRedis;
  before(async () => void (redis = await startRedis()));
  after(() => redis.stop());
  afterEach(() => redis.restart());

  function open(t: TestContext, options: Partial<RedisStoreOptions> = {}): KeyStore {
    const store = openRedisStore(redis.url, options);
    t.after(() => store.close());
    return store;
  }

  const known = newRecord();
  async function openWithKey(t: TestContext, options: Partial<RedisStoreOptions> = {}): Promise<KeyStore> {
    const store = open(t, options);
    await store.insert(known, NOW, ENTRY);
    return store;
  }

  /** Each method that asks Redis, with the fault it meets. */
  async function faultsOf(store: KeyStore): Promise<Record<string, string>> {
    const calls = {
      find: () => store.find([known.digest]),
      get: () => store.get(known.id),
      list: () => store.list('ingestion'),
      insert: () => store.insert(newRecord(), NOW, ENTRY),
      replace: () => store.replace(revoked(known, NOW), ENTRY),
      prune: () => store.prune(NOW),
      ping: () => store.ping(),
    };
    const faults = Object.entries(calls).map(async ([name, call]) => [name, await faultOf(call())] as const);
    return Object.fromEntries(await Promise.all(faults));
  }

  async function faultOf(call: Promise<unknown>): Promise<string> {
    const startedAt = performance.now();
    try {
      await call;
      return 'none';
    } catch (error) {
      assert.ok(error instanceof StoreError, `a raw error came out: ${String(error)}`);
      assert.ok(performance.now() - startedAt < HANG_MS, 'it took too long');
      return error.fault;
    }
  }

  function all(fault: string): Record<string, string> {
    return { find: fault, get: fault, list: fault, insert: fault, replace: fault, prune: fault, ping: fault };
  }

  /** Repeats the call until it no longer fails; a test that waits too long is ended by its time limit. */
  async function untilItWorks<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch {
        await delay(20);
      }
    }
  }

  it('says at once that a killed Redis is unavailable, and why', async (t) => {
    const store = await openWithKey(t);
    await redis.kill();
    assert.deepEqual(await faultsOf(store), all('unavailable'));
    await until('an attempt to connect again has failed', async () => {
      const why = await store.ping().then(() => '', String);
      return /cannot be reached: connect ECONNREFUSED/.test(why);
    });
  });

  it('says that a frozen Redis does not answer in time, and recovers by itself', async (t) => {
    const store = await openWithKey(t, IMPATIENT);
    redis.freeze();
    assert.deepEqual(await faultsOf(store), all('timeout'));
    await until('the silent connection is given up', async () => (await faultOf(store.ping())) === 'unavailable');
    assert.deepEqual(await faultsOf(store), all('unavailable'));
    redis.thaw();
    // The changes that timed out were still made: Redis had them before it froze.
    const after = await untilItWorks(() => store.find([known.digest]));
    assert.equal(after?.state, 'revoked');
  });

  it('sits out a pause of Redis', async (t) => {
    const store = await openWithKey(t, IMPATIENT);
    await redis.command('CLIENT', 'PAUSE', 600, 'ALL');
    assert.equal(await faultOf(store.find([known.digest])), 'timeout');
    assert.deepEqual(await untilItWorks(() => store.find([known.digest])), known);
  });

  it('takes a Redis that was restarted empty for a foreign one, not for one without keys', async (t) => {
    const store = await openWithKey(t);
    await redis.restart();
    await untilItWorks(async () => assert.equal(await faultOf(store.ping()), 'foreign'));
    assert.deepEqual(await faultsOf(store), all('foreign'));
  });

  it('takes a flushed Redis for a foreign one, even when a new store was made in it', async (t) => {
    const store = await openWithKey(t);
    await redis.command('FLUSHALL');
    assert.deepEqual(await faultsOf(store), all('foreign'));
    await open(t).insert(newRecord(), NOW, ENTRY);
    assert.deepEqual(await faultsOf(store), all('foreign'));
    await assert.rejects(store.ping(), { message: /flushed or replaced.*restart Keygate/ });
  });

  it('judges no key in a Redis that never had one, and says so', async (t) => {
    const store = open(t);
    await assert.rejects(store.find([known.digest]), {
      fault: 'foreign',
      message: /no key has ever been created here/,
    });
    await open(t).insert(newRecord(), NOW, ENTRY);
    assert.equal(await store.find([known.digest]), undefined);
  });

  for (const lost of ['digests', 'records']) {
    it(`gives no answer from a store that lost its ${lost}`, async (t) => {
      const store = await openWithKey(t);
      await redis.command('DEL', `{test}:${lost}`);
      const fresh = open(t);
      for (const each of [store, fresh]) {
        assert.notEqual(await faultOf(each.find([known.digest])), 'none');
        assert.equal(await faultOf(each.insert(newRecord(), NOW, ENTRY)), 'foreign');
      }
    });
  }

  it('refuses only the key whose record cannot be read', async (t) => {
    const unreadable: StoreError[] = [];
    const observe = {
      feed: () => undefined,
      unreadable: (error: StoreError) => void unreadable.push(error),
      evictionPolicy: () => undefined,
    };
    const store = await openWithKey(t, { observe });
    const broken = newRecord();
    await store.insert(broken, NOW, ENTRY);
    await redis.command('HSET', '{test}:records', broken.id, JSON.stringify({ ...broken, state: 'odd' }));
    await assert.rejects(store.find([broken.digest]), {
      fault: 'corrupt',
      message: `The stored record of key ${broken.id} cannot be read: at fault: state. Delete the key and create a new one.`,
    });
    assert.deepEqual(await store.find([known.digest]), known);
    assert.deepEqual(await store.list('ingestion'), [known]);
    assert.deepEqual(
      unreadable.map((error) => error.fault),
      ['corrupt'],
    );
  });

  it('begins anew with the use of a key that cannot be read, and adds to that of the others', async (t) => {
    const store = await openWithKey(t);
    const other = newRecord();
    await store.insert(other, NOW, ENTRY);
    const uses = [known, other].map(({ id }) => ({ id, lastUsedAt: NOW, requests: 1, bytes: 1, sources: [] }));
    for (const text of ['', 'some other text', '1 1', '1 1 1 10.0.0.1 then']) {
      await redis.command('HSET', '{test}:usage', known.id, text);
      await store.usage.record(uses);
      assert.equal((await store.usage.read([known.id])).get(known.id)?.requests, 1, `after "${text}"`);
    }
    assert.equal((await store.usage.read([other.id])).get(other.id)?.requests, 4);
  });

  it('lets nobody in through an index that leads to the record of another key', async (t) => {
    const store = await openWithKey(t);
    const stranger = digestOf('stranger');
    await redis.command('HSET', '{test}:digests', stranger, known.id);
    assert.equal(await faultOf(store.find([stranger])), 'corrupt');
  });

  it('starts while Redis is away, and works when it comes', async (t) => {
    await redis.kill();
    const store = open(t);
    assert.equal(await faultOf(store.find([known.digest])), 'unavailable');
    await redis.restart();
    assert.equal(await untilItWorks(() => store.insert(known, NOW, ENTRY)), 'inserted');
  });

  it('starts while Redis is frozen', async (t) => {
    redis.freeze();
    assert.equal(await faultOf(open(t, IMPATIENT).find([known.digest])), 'unavailable');
  });

  it('says that it may not log in, without repeating the password', async (t) => {
    const url = redis.url.replace('redis://', 'redis://default:a-wrong-secret@');
    await redis.command('CONFIG', 'SET', 'requirepass', 'right');
    const error = await open(t, { server: serverAt(url) })
      .ping()
      .then(
        () => assert.fail('it was let in'),
        (cause: unknown) => cause,
      );
    assert.ok(error instanceof StoreError);
    assert.equal(
      error.message,
      'The key store (Redis) cannot be reached: WRONGPASS invalid username-password pair or user is disabled.',
    );
    assert.doesNotMatch(JSON.stringify(error) + String(error.stack) + String(error.cause), /a-wrong-secret/);
  });

  it('reads from a replica and from a full Redis, and says that it cannot write', async (t) => {
    const store = await openWithKey(t);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    assert.equal(await faultOf(store.insert(newRecord(), NOW, ENTRY)), 'unavailable');
    assert.deepEqual(await store.find([known.digest]), known);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await redis.command('REPLICAOF', '127.0.0.1', '1');
    assert.equal(await faultOf(store.insert(newRecord(), NOW, ENTRY)), 'unavailable');
    assert.deepEqual(await untilItWorks(() => store.find([known.digest])), known);
  });

  it('takes the data of another program for foreign', async (t) => {
    await redis.command('SET', '{test}:digests', 'theirs');
    const store = open(t);
    assert.equal(await faultOf(store.find([known.digest])), 'foreign');
    assert.equal(await faultOf(store.insert(known, NOW, ENTRY)), 'foreign');
    assert.equal(await redis.command('GET', '{test}:digests'), 'theirs');
  });

  it('goes on after the scripts were dropped from Redis', async (t) => {
    const store = await openWithKey(t);
    await redis.command('SCRIPT', 'FLUSH');
    assert.deepEqual(await store.find([known.digest]), known);
  });

  describe('behind the cache', () => {
    const stranger = digestOf('stranger');
    let startedAt: number;
    beforeEach(() => void (startedAt = performance.now()));

    async function openCache(t: TestContext) {
      const store = await openWithKey(t);
      const cache = createKeyCache({
        find: (digests) => store.find(digests),
        now: () => performance.now(),
        maxKeys: 100,
        maxUnknown: 100,
        freshForMs: 60_000,
        staleForMs: 3_600_000,
        unknownForMs: 5_000,
        maxLookups: 10,
        maxUnknownLookups: 1_000,
        lookupTimeoutMs: 120,
      });
      await cache.lookup({ digest: known.digest, alternates: [] });
      return cache;
    }

    it('known keys flow on and others get "cannot tell" in time while Redis is frozen', async (t) => {
      const cache = await openCache(t);
      redis.freeze();
      startedAt = performance.now();
      assert.deepEqual(await cache.lookup({ digest: stranger, alternates: [] }), {
        kind: 'unavailable',
        reason: 'store_timeout',
      });
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < 1_000, `took ${tookMs} ms`); // half of what the store would take, and slack
      assert.deepEqual(cache.lookup({ digest: known.digest, alternates: [] }), { kind: 'known', record: known });
      assert.deepEqual(cache.sizes(), { known: 1, unknown: 0 });
    });

    it('known keys flow on and others get "cannot tell" while Redis is flushed or killed', async (t) => {
      const cache = await openCache(t);
      await redis.command('FLUSHALL');
      assert.deepEqual(await cache.lookup({ digest: stranger, alternates: [] }), STORE_UNAVAILABLE);
      await redis.kill();
      assert.deepEqual(await cache.lookup({ digest: stranger, alternates: [] }), STORE_UNAVAILABLE);
      cache.gap();
      assert.deepEqual(await cache.lookup({ digest: known.digest, alternates: [] }), { kind: 'known', record: known });
      assert.deepEqual(cache.sizes(), { known: 1, unknown: 0 });
    });
  });
});
