import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { KeyStore, StoreObserver } from '../../src/store/port.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createWitness, ENTRY, newRecord, openRedisStore } from '../support/stores.ts';
import type { Witness } from '../support/stores.ts';

const NOW = 1_700_000_000_000;
const HANG_MS = 2_000;

describe('the change feed in Redis', { timeout: 120_000 }, () => {
  let redis: TestRedis;
  before(async () => void (redis = await startRedis()));
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

  const faults = {
    running: async () => undefined,
    frozen: async () => redis.freeze(),
    killed: () => redis.kill(),
    'long gone': () => redis.kill().then(() => delay(200)),
  };
  for (const [fault, befall] of Object.entries(faults)) {
    it(`closes promptly while Redis is ${fault}`, async () => {
      const store = openRedisStore(redis.url);
      const watching = await store.watch(createWitness());
      await befall();
      const startedAt = performance.now();
      await Promise.all([watching.close(), store.close()]);
      assert.ok(performance.now() - startedAt < HANG_MS, 'closing took too long');
    });
  }
});
