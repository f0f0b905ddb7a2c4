import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { KeyStore } from '../../src/store/port.ts';
import type { KeyUse } from '../../src/store/usage-port.ts';
import { storeKinds } from '../support/store-kinds.ts';
import { createWitness, ENTRY, insertAll, newRecord, revoked, succession } from '../support/stores.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;

const source = (address: string, lastUsedAt: number) => ({ address, lastUsedAt });

function useOf(id: string, fields: Partial<KeyUse> = {}): KeyUse {
  return { id, lastUsedAt: NOW, requests: 1, bytes: 10, sources: [source('10.0.0.1', NOW)], ...fields };
}

for (const kind of storeKinds()) {
  describe(`the use of keys, in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    async function setUp(t: TestContext) {
      const place = kind.newPlace();
      const store = open(t, place);
      const record = newRecord();
      await store.insert(record, NOW, ENTRY);
      return { place, store, record, read: async () => (await store.usage.read([record.id])).get(record.id) };
    }

    function open(t: TestContext, place = kind.newPlace()): KeyStore {
      const store = place.open();
      t.after(() => store.close());
      return store;
    }

    it('is nothing for a key that was never used, and for one that is not there', async (t) => {
      const { store, record } = await setUp(t);
      assert.deepEqual(await store.usage.read([record.id, '1']), new Map());
      assert.deepEqual(await store.usage.read([]), new Map());
      assert.deepEqual(await open(t).usage.read(['1']), new Map());
    });

    it('adds up, and its times only move forward', async (t) => {
      const { store, record, read } = await setUp(t);
      const { id: _id, ...first } = useOf(record.id);
      await store.usage.record([useOf(record.id)]);
      assert.deepEqual(await read(), first);
      await store.usage.record([
        useOf(record.id, {
          lastUsedAt: NOW - MINUTE,
          requests: 2,
          bytes: 2 ** 50,
          sources: [source('2001:db8::1', NOW - MINUTE), source('10.0.0.1', NOW - MINUTE)],
        }),
      ]);
      assert.deepEqual(await read(), {
        lastUsedAt: NOW,
        requests: 3,
        bytes: 2 ** 50 + 10,
        sources: [source('10.0.0.1', NOW), source('2001:db8::1', NOW - MINUTE)],
      });
    });

    it('forgets sources of more than an hour ago, and all but the latest 64', async (t) => {
      const { store, record, read } = await setUp(t);
      const old = Array.from({ length: 40 }, (_, i) => source(`10.0.1.${i}`, NOW + i));
      const recent = Array.from({ length: 60 }, (_, i) => source(`10.0.2.${i}`, NOW + MINUTE + i));
      await store.usage.record([useOf(record.id, { lastUsedAt: NOW + 39, sources: old })]);
      await store.usage.record([useOf(record.id, { lastUsedAt: NOW + MINUTE + 59, sources: recent })]);
      assert.deepEqual((await read())?.sources, [...recent.toReversed(), ...old.toReversed().slice(0, 4)]);
      const late = NOW + 61 * MINUTE + 30;
      await store.usage.record([useOf(record.id, { lastUsedAt: late, sources: [] })]);
      assert.deepEqual((await read())?.sources, recent.toReversed().slice(0, 30));
    });

    it('is kept for as many keys as are told at once', async (t) => {
      const { store } = await setUp(t);
      const records = Array.from({ length: 700 }, () => newRecord());
      await insertAll(store, records, NOW);
      const uses = records.map(({ id }, i) => useOf(id, { requests: i + 1 }));
      for (let i = 0; i < uses.length; i += 200) await store.usage.record(uses.slice(i, i + 200));
      const found = await store.usage.read(records.map(({ id }) => id));
      assert.deepEqual(
        records.map(({ id }) => found.get(id)?.requests),
        records.map((_, i) => i + 1),
      );
    });

    it('is left out for keys that are not there, and forgotten with those that are', async (t) => {
      const { store, record, read } = await setUp(t);
      await store.usage.record([useOf('1'), useOf(record.id), useOf('2')]);
      assert.equal((await store.usage.read(['1', '2', record.id])).size, 1);
      await store.replace(revoked(record, NOW), ENTRY);
      assert.equal((await read())?.requests, 1);
      await store.prune(NOW + 1);
      assert.equal(await read(), undefined);
    });

    it('is not that of the key that took its place', async (t) => {
      const { store, record } = await setUp(t);
      await store.usage.record([useOf(record.id)]);
      const { predecessor, successor } = succession(record, NOW + 10);
      await store.succeed(predecessor, successor, NOW, [ENTRY, ENTRY]);
      assert.deepEqual([...(await store.usage.read([record.id, successor.id])).keys()], [record.id]);
    });

    it('adds up when several tell at once', async (t) => {
      const { place, store, record, read } = await setUp(t);
      const stores = [store, open(t, place), open(t, place)];
      await Promise.all(stores.flatMap((each) => [1, 2, 3].map(() => each.usage.record([useOf(record.id)]))));
      assert.equal((await read())?.requests, 9);
    });

    it('is no change of the key: a watch hears of none', async (t) => {
      const { store, record } = await setUp(t);
      const witness = createWitness();
      const watch = await store.watch(witness);
      t.after(() => watch.close());
      await store.usage.record([useOf(record.id)]);
      const next = newRecord();
      await store.insert(next, NOW, ENTRY);
      assert.deepEqual(await witness.until(1), [next.digest]);
    });
  });
}
