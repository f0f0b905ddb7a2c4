import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FeedPosition, KeyStore, StoreObserver } from '../../src/store/port.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createWitness, ENTRY, IMPATIENT, newRecord, openRedisStore, revoked } from '../support/stores.ts';
import type { Witness } from '../support/stores.ts';

const NOW = 1_700_000_000_000;
const HANG_MS = 2_000;

describe('the change feed in Redis', { timeout: 120_000 }, () => {
  let redis: TestRedis;
  before(async () => void (redis = await startRedis({ options: () => ({ 'enable-debug-command': 'local' }) })));
  after(() => redis.stop());
  afterEach(() => redis.restart());

  function open(t: TestContext, observe?: StoreObserver): KeyStore {
    const store = openRedisStore(redis.url, { observe });
    t.after(() => store.close());
    return store;
  }

  interface Watching {
    readonly store: KeyStore;
    readonly witness: Witness;
    /** Resolves when the feed has come to this state `count` times in all. */
    feedIs(state: 'up' | 'down', count: number): Promise<void>;
  }

  async function watch(t: TestContext): Promise<Watching> {
    const states: string[] = [];
    const waiting = new Set<() => void>();
    const store = open(t, {
      feed(state) {
        states.push(state);
        for (const check of waiting) check();
      },
      unreadable: () => undefined,
      evictionPolicy: () => undefined,
    });
    const witness = createWitness();
    const watching = await store.watch(witness);
    t.after(() => watching.close());
    return {
      store,
      witness,
      feedIs: (state, count) =>
        new Promise((resolve) => {
          const check = () => {
            if (states.filter((each) => each === state).length >= count) resolve();
          };
          waiting.add(check);
          check();
        }),
    };
  }

  /** Cuts the connection of the feed, as a network does. */
  async function cutFeed(): Promise<void> {
    const clients = String(await redis.command('CLIENT', 'LIST')).split('\n');
    const feed = clients.find((line) => line.includes('name=keygate-feed'));
    const id = /^id=(\d+)/.exec(feed ?? '')?.[1];
    await redis.command('CLIENT', 'KILL', 'ID', id ?? 'no feed is connected');
  }

  it('loses nothing when its connection is cut, and reports no gap', async (t) => {
    const { store, witness, feedIs } = await watch(t);
    const [first, second] = [newRecord(), newRecord()];
    await store.insert(first, NOW, ENTRY);
    await witness.until(1);
    await cutFeed();
    await store.insert(second, NOW, ENTRY);
    await feedIs('down', 1);
    await feedIs('up', 2);
    assert.deepEqual(await witness.until(2), [first.digest, second.digest]);
  });

  it('reports a gap when Redis comes back with another history of writes, and goes on from where it was', async (t) => {
    const { store, witness, feedIs } = await watch(t);
    const [first, second] = [newRecord(), newRecord()];
    await store.insert(first, NOW, ENTRY);
    await witness.until(1);
    await redis.command('DEBUG', 'CHANGE-REPL-ID'); // as on a replica that was promoted
    await cutFeed();
    await store.insert(second, NOW, ENTRY);
    await feedIs('up', 2);
    assert.deepEqual(await witness.until(3), [first.digest, 'gap', second.digest]);
    await cutFeed();
    await feedIs('up', 3);
    assert.equal(witness.seen.length, 3, 'once');
  });

  it('reports a gap when changes were trimmed away before it read them', async (t) => {
    const { store, witness } = await watch(t);
    const records = [newRecord(), newRecord(), newRecord()];
    const [first, , third] = records;
    await store.insert(records[0] ?? newRecord(), NOW, ENTRY);
    await witness.until(1);
    // One transaction: the feed sees the changes and the trimming at once.
    await redis.command(
      'EVAL',
      `redis.call('HINCRBY', KEYS[1], 'changes', 2)
       redis.call('XADD', KEYS[2], '2-0', 'digest', ARGV[1])
       redis.call('XADD', KEYS[2], '3-0', 'digest', ARGV[2])
       redis.call('XTRIM', KEYS[2], 'MAXLEN', 1)`,
      2,
      '{test}:digests',
      '{test}:changes',
      records[1]?.digest ?? '',
      third?.digest ?? '',
    );
    assert.deepEqual(await witness.until(3), [first?.digest, 'gap', third?.digest]);
  });

  it('takes in more changes at once than it reads at a time, each in its place', async (t) => {
    const { store, witness } = await watch(t);
    const first = newRecord();
    await store.insert(first, NOW, ENTRY);
    await witness.until(1);
    const digests = Array.from({ length: 2_500 }, () => newRecord().digest);
    await redis.command(
      'EVAL',
      `local last = redis.call('HINCRBY', KEYS[1], 'changes', #ARGV) - #ARGV
       for i, digest in ipairs(ARGV) do redis.call('XADD', KEYS[2], (last + i) .. '-0', 'digest', digest) end`,
      2,
      '{test}:digests',
      '{test}:changes',
      ...digests,
    );
    assert.deepEqual(await witness.until(1 + digests.length), [first.digest, ...digests]);
  });

  it('reports a gap when the stream is lost with changes in it', async (t) => {
    const { store, witness } = await watch(t);
    const record = newRecord();
    await store.insert(record, NOW, ENTRY);
    await witness.until(1);
    await redis.command('HINCRBY', '{test}:digests', 'changes', 3);
    await redis.command('DEL', '{test}:changes');
    assert.deepEqual(await witness.until(2), [record.digest, 'gap']);
    const next = newRecord();
    await store.insert(next, NOW, ENTRY);
    assert.deepEqual(await witness.until(3), [record.digest, 'gap', next.digest]);
  });

  it('reports a gap when Redis was flushed', async (t) => {
    const { store, witness } = await watch(t);
    await store.insert(newRecord(), NOW, ENTRY);
    await witness.until(1);
    await redis.command('FLUSHALL');
    assert.equal((await witness.until(2))[1], 'gap');
  });

  it('reports a gap when Redis was restarted empty, and then the changes of the new store', async (t) => {
    const { store, witness, feedIs } = await watch(t);
    await store.insert(newRecord(), NOW, ENTRY);
    await witness.until(1);
    await redis.restart();
    await feedIs('up', 2);
    assert.equal((await witness.until(2))[1], 'gap');
    const record = newRecord();
    await open(t).insert(record, NOW, ENTRY);
    assert.deepEqual((await witness.until(3)).slice(1), ['gap', record.digest]);
  });

  it('goes on after Redis was frozen', async (t) => {
    const { store, witness, feedIs } = await watch(t);
    await store.insert(newRecord(), NOW, ENTRY);
    await witness.until(1);
    redis.freeze();
    await feedIs('down', 1);
    redis.thaw();
    await feedIs('up', 2);
    const record = newRecord();
    await open(t).insert(record, NOW, ENTRY);
    assert.deepEqual((await witness.until(2)).slice(1), [record.digest]);
  });

  it('begins while Redis is away, and reports a gap when it comes', async (t) => {
    await redis.kill();
    const { witness, feedIs } = await watch(t);
    await feedIs('down', 1);
    await redis.restart();
    await feedIs('up', 1);
    assert.deepEqual(await witness.until(1), ['gap']);
    const record = newRecord();
    await open(t).insert(record, NOW, ENTRY);
    assert.deepEqual(await witness.until(2), ['gap', record.digest]);
  });

  describe('from the position of an earlier watch', () => {
    /** A store with two keys; the position after the first one was made; and what was there when it was read. */
    async function leave(t: TestContext) {
      const earlier = open(t);
      const { promise, resolve } = Promise.withResolvers<FeedPosition>();
      const applied = (position: FeedPosition) => position.change === 1 && position.store !== null && resolve(position);
      const watching = await earlier.watch({ ...createWitness(), applied });
      const [first, second] = [newRecord(), newRecord()];
      await earlier.insert(first, NOW, ENTRY);
      const position = await promise;
      await watching.close();
      await earlier.insert(second, NOW, ENTRY);
      return { position, first, second };
    }

    async function resume(t: TestContext, position: FeedPosition) {
      const store = open(t);
      const witness = createWitness();
      const watching = await store.watch(witness, position);
      t.after(() => watching.close());
      return { store, witness, watching, seenAtStart: [...witness.seen] };
    }

    it('has reported what was missed, and nothing else, when it begins', async (t) => {
      const { position, first, second } = await leave(t);
      await openRedisStoreAnd(async (store) => {
        for (let i = 0; i < 1_500; i++) await store.insert(newRecord(), NOW, ENTRY);
        await store.replace(revoked(first, NOW), ENTRY);
      });
      const { watching, seenAtStart } = await resume(t, position);
      assert.equal(seenAtStart.length, 1_502);
      assert.deepEqual([seenAtStart[0], seenAtStart.at(-1)], [second.digest, first.digest]);
      assert.ok(!seenAtStart.includes('gap'));
      assert.equal(watching.isCurrent(), true);
    });

    it('begins at once where nothing was missed', async (t) => {
      const { position } = await leave(t);
      const { seenAtStart, watching } = await resume(t, { ...position, change: 2 });
      assert.deepEqual([seenAtStart, watching.isCurrent()], [[], true]);
    });

    it('has reported a gap when the history of writes is another one, as after a failover', async (t) => {
      const { position } = await leave(t);
      assert.match(position.history ?? '', /^[0-9a-f]{40}$/);
      const { seenAtStart } = await resume(t, { ...position, history: 'another' });
      assert.equal(seenAtStart[0], 'gap');
    });

    const lost = {
      'was trimmed away': () => redis.command('XTRIM', '{test}:changes', 'MAXLEN', 0),
      'is after the last change, of a store put back to an earlier state': () =>
        redis.command('HSET', '{test}:digests', 'changes', 0),
      'is of a store that was flushed': () => redis.command('FLUSHALL'),
      'is of another store than this one': () => redis.command('HSET', '{test}:digests', 'store', 'another'),
    };
    for (const [what, lose] of Object.entries(lost)) {
      it(`has reported a gap when the position ${what}`, async (t) => {
        const { position } = await leave(t);
        await lose();
        const { seenAtStart } = await resume(t, position);
        assert.equal(seenAtStart[0], 'gap');
      });
    }

    it('waits for a Redis that is away, and then reports what was missed', async (t) => {
      const { position, second } = await leave(t);
      await redis.command('SAVE');
      t.after(() => redis.command('FLUSHALL').then(() => redis.command('SAVE')));
      await redis.kill();
      const { witness, watching, seenAtStart } = await resume(t, position);
      assert.deepEqual([seenAtStart, watching.isCurrent()], [[], false]);
      await redis.restart();
      // A Redis that was started again has a new history of writes: what was remembered is uncertain.
      assert.deepEqual(await witness.until(2), ['gap', second.digest]);
    });

    it('takes only the store of that position for ours', async (t) => {
      const { position, first } = await leave(t);
      await redis.command('FLUSHALL');
      await openRedisStoreAnd((store) => store.insert(newRecord(), NOW, ENTRY));
      const { store } = await resume(t, position);
      await assert.rejects(store.find([first.digest]), {
        fault: 'foreign',
        message: /flushed or replaced.*without the file of cache.snapshot.path/,
      });
    });

    async function openRedisStoreAnd(use: (store: KeyStore) => Promise<unknown>): Promise<void> {
      const store = openRedisStore(redis.url);
      await use(store);
      await store.close();
    }
  });

  const faults = {
    running: async () => undefined,
    frozen: async () => redis.freeze(),
    killed: () => redis.kill(),
    'long gone': () => redis.kill().then(() => delay(200)),
  };
  for (const [fault, befall] of Object.entries(faults)) {
    it(`closes promptly while Redis is ${fault}`, async () => {
      const store = openRedisStore(redis.url, IMPATIENT);
      const watching = await store.watch(createWitness());
      await befall();
      const startedAt = performance.now();
      await Promise.all([watching.close(), store.close()]);
      assert.ok(performance.now() - startedAt < HANG_MS, 'closing took too long');
    });
  }
});
