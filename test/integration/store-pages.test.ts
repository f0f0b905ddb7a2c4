import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { byNameAndId } from '../../src/keys/order.ts';
import type { KeyKind, KeyRecord } from '../../src/keys/record.ts';
import type { KeyStore, PagePosition } from '../../src/store/port.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { storeKinds } from '../support/store-kinds.ts';
import { ENTRY, insertAll, newRecord, openRedisStore, revoked, succession } from '../support/stores.ts';

const NOW = 1_700_000_000_000;

/** All records of a kind, read in pages of this size; the last page may be empty. */
async function readAll(store: KeyStore, kind: KeyKind, limit: number): Promise<KeyRecord[]> {
  const records: KeyRecord[] = [];
  let after: PagePosition | undefined;
  do {
    const page = await store.page(kind, { after, limit });
    assert.ok(page.records.length <= limit);
    records.push(...page.records);
    after = page.next;
  } while (after !== undefined);
  return records;
}

for (const kind of storeKinds()) {
  describe(`the pages of a key store in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    function open(t: TestContext): KeyStore {
      const store = kind.newPlace().open();
      t.after(() => store.close());
      return store;
    }

    it('are empty in a new place', async (t) => {
      assert.deepEqual(await open(t).page('ingestion', { limit: 10 }), { records: [], next: undefined });
    });

    it('have every record of a kind once, by the code points of the name and then by the id', async (t) => {
      const store = open(t);
      const names = ['b', 'a', 'ab', 'a b', 'A', 'ä', 'a:b', 'ﬀ', '😀', '\u{fffd}', 'zz', 'a', 'a'];
      const records = names.map((name, i) =>
        newRecord({ name, id: String(100 - i), ...(name === 'a' && { expiresAt: NOW - 1 }) }),
      );
      for (const record of records) await store.insert(record, NOW, ENTRY);
      await store.insert(newRecord({ name: 'a', kind: 'service', roles: ['admin'] }), NOW, ENTRY);
      const expected = records.toSorted(byNameAndId);
      assert.deepEqual(expected.map(({ name, id }) => `${name} ${id}`).slice(0, 6), [
        'A 96',
        'a 88',
        'a 89',
        'a 99',
        'a b 97',
        'a:b 94',
      ]);
      for (const limit of [1, 2, 5, names.length, 100]) {
        assert.deepEqual(await readAll(store, 'ingestion', limit), expected, `pages of ${limit}`);
      }
      assert.equal((await readAll(store, 'service', 1)).length, 1);
      assert.deepEqual(await readAll(store, 'receiver', 10), []);
    });

    it('show records as they are, and forgotten ones no more', async (t) => {
      const store = open(t);
      const [rotated, deleted, pruned] = [newRecord({ name: 'a' }), newRecord({ name: 'b' }), newRecord({ name: 'c' })];
      for (const record of [rotated, deleted, pruned]) await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(rotated, NOW + 10);
      await store.succeed(predecessor, successor, NOW, [ENTRY, ENTRY]);
      await store.replace(revoked(deleted, NOW), ENTRY);
      await store.replace(revoked(pruned, NOW - 1), ENTRY);
      assert.equal(await store.prune(NOW), 1);
      const expected = [predecessor, successor, revoked(deleted, NOW)].toSorted(byNameAndId);
      assert.deepEqual(await readAll(store, 'ingestion', 2), expected);
    });

    it('go on behind a record that was forgotten meanwhile', async (t) => {
      const store = open(t);
      const [first, second] = [newRecord({ name: 'a', expiresAt: NOW - 1 }), newRecord({ name: 'b' })];
      for (const record of [first, second]) await store.insert(record, NOW - 2, ENTRY);
      const { next } = await store.page('ingestion', { limit: 1 });
      await store.prune(NOW);
      assert.deepEqual((await store.page('ingestion', { after: next, limit: 1 })).records, [second]);
    });

    it('are no fewer tombstones than are pruned at once', async (t) => {
      const store = open(t);
      const records = Array.from({ length: 620 }, () => newRecord({ expiresAt: NOW - 1 }));
      await insertAll(store, records, NOW - 2);
      assert.equal(await store.prune(NOW), 620);
      assert.deepEqual(await readAll(store, 'ingestion', 10), []);
    });

    it('forget no key whose time was extended', async (t) => {
      const store = open(t);
      const record = newRecord({ expiresAt: NOW + 1 });
      await store.insert(record, NOW, ENTRY);
      const { expiresAt: _none, ...extended } = { ...record, revision: 2 };
      await store.replace(extended, ENTRY);
      assert.equal(await store.prune(NOW + 100), 0);
      assert.deepEqual(await store.get(record.id), extended);
    });
  });
}

describe('the indexes of a store in Redis that an earlier version wrote', { timeout: 60_000 }, () => {
  let redis: TestRedis;
  let prefixes = 0;
  before(async () => void (redis = await startRedis()));
  after(() => redis.stop());

  async function setUp(t: TestContext, count: number) {
    const prefix = `old-${++prefixes}`;
    const store = openRedisStore(redis.url, { prefix });
    t.after(() => store.close());
    const records = Array.from({ length: count }, (_, i) => newRecord({ name: `key ${1_000 + i}` }));
    await insertAll(store, records, NOW);
    const named = (what: string) => `{${prefix}}:${what}`;
    const command = (name: string, what: string, ...args: (string | number)[]) =>
      redis.command(name, named(what), ...args);
    /** Does to a record what that version did: no index, no field. */
    async function writeAsBefore(record: KeyRecord): Promise<void> {
      const number = Number(await command('HINCRBY', 'digests', 'changes', 1));
      await command('XADD', 'changes', `${number}-0`, 'digest', record.digest);
      await command('HSET', 'records', record.id, JSON.stringify(record));
      await command('HSET', 'digests', record.digest, record.id);
    }
    return { store, records, command, writeAsBefore };
  }

  it('are built before the first page that needs them, and kept from then on', async (t) => {
    const { store, records, command } = await setUp(t, 700);
    await command('DEL', 'order');
    await command('DEL', 'deaths');
    await command('HDEL', 'digests', 'indexed');
    assert.deepEqual(await readAll(store, 'ingestion', 100), records);
    const late = newRecord({ name: 'key 0' });
    await store.insert(late, NOW, ENTRY);
    assert.deepEqual(await readAll(store, 'ingestion', 400), [late, ...records]);
    assert.equal(await command('HGET', 'digests', 'indexed'), await command('HGET', 'digests', 'changes'));
  });

  it('are built before tombstones are looked for', async (t) => {
    const { store, records, command } = await setUp(t, 3);
    const [first = newRecord()] = records;
    await store.replace(revoked(first, NOW), ENTRY);
    await command('DEL', 'order');
    await command('DEL', 'deaths');
    await command('HDEL', 'digests', 'indexed');
    assert.equal(await store.prune(NOW + 1), 1);
    assert.deepEqual(await readAll(store, 'ingestion', 10), records.slice(1));
  });

  it('take up what an earlier version goes on writing', async (t) => {
    const { store, records, command, writeAsBefore } = await setUp(t, 3);
    const [first = newRecord()] = records;
    const theirs = newRecord({ name: 'a key of theirs' });
    await writeAsBefore(theirs);
    const ours = newRecord({ name: 'b key of ours' });
    await store.insert(ours, NOW, ENTRY);
    await writeAsBefore(revoked(first, NOW));
    assert.deepEqual(await readAll(store, 'ingestion', 2), [theirs, ours, revoked(first, NOW), ...records.slice(1)]);
    assert.equal(await store.prune(NOW + 1), 1);
    await command('XTRIM', 'changes', 'MAXLEN', 0);
    await writeAsBefore(first);
    await writeAsBefore(theirs);
    await command('XTRIM', 'changes', 'MAXLEN', 1);
    assert.deepEqual(await readAll(store, 'ingestion', 2), [theirs, ours, ...records], 'with a gap in the stream');
  });

  it('are built anew when they were lost', async (t) => {
    const { store, records, command } = await setUp(t, 3);
    await command('DEL', 'order');
    assert.deepEqual(await readAll(store, 'ingestion', 2), records);
  });

  it('leave out a record that cannot be read, and only that', async (t) => {
    const { store, records, command } = await setUp(t, 3);
    await command('HSET', 'records', '77', '{broken');
    await command('DEL', 'order');
    assert.deepEqual(await readAll(store, 'ingestion', 2), records);
    assert.deepEqual(await readAll(store, 'ingestion', 2), records);
  });

  it('are built anew when the stream does not tell what was changed', async (t) => {
    const { store, records, command } = await setUp(t, 3);
    await command('DEL', 'changes'); // nothing tells what was changed
    await command('HINCRBY', 'digests', 'changes', 5);
    const theirs = { ...records[1], name: 'a', id: '5' };
    await command('HSET', 'records', '5', JSON.stringify(theirs));
    assert.deepEqual((await readAll(store, 'ingestion', 2)).map(({ name }) => name).sort(), [
      'a',
      'key 1000',
      'key 1001',
      'key 1002',
    ]);
  });
});
