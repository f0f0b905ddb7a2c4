import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { KeyStore } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createWitness, digestOf, newRecord, openRedisStore, revoked } from '../support/stores.ts';

/** Where stores of one kind live: `open` may be called twice for one place. */
interface Place {
  open(): KeyStore;
}

interface StoreKind {
  readonly name: string;
  begin(): Promise<void>;
  end(): Promise<void>;
  newPlace(): Place;
}

function redisKind(): StoreKind {
  let redis: TestRedis;
  let places = 0;
  return {
    name: 'Redis',
    begin: async () => void (redis = await startRedis()),
    end: () => redis.stop(),
    newPlace: () => {
      const prefix = `place-${++places}`;
      return { open: () => openRedisStore(redis.url, { prefix }) };
    },
  };
}

function sqliteKind(): StoreKind {
  let directory: string;
  let places = 0;
  return {
    name: 'SQLite',
    begin: async () => void (directory = await mkdtemp(join(tmpdir(), 'keygate-sqlite-'))),
    end: () => rm(directory, { recursive: true }),
    newPlace: () => {
      const path = join(directory, `place-${++places}`, 'keygate.db');
      return { open: () => createSqliteStore({ path }) };
    },
  };
}

const NOW = 1_700_000_000_000;

for (const kind of [redisKind(), sqliteKind()]) {
  describe(`a key store in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    function open(t: TestContext, place = kind.newPlace()): KeyStore {
      const store = place.open();
      t.after(() => store.close());
      return store;
    }

    it('finds a record by any of its digests, and says when there is none', async (t) => {
      const store = open(t);
      const record = newRecord({ description: 'Größe "1"', signals: ['logs'], expiresAt: NOW + 1, tenant: 'acme' });
      assert.equal(await store.insert(record, NOW), 'inserted');
      assert.deepEqual(await store.find([record.digest]), record);
      assert.deepEqual(await store.find([digestOf('other'), record.digest]), record);
      assert.equal(await store.find([digestOf('other')]), undefined);
    });

    it('gets a record by its id, and lists those of one kind', async (t) => {
      const store = open(t);
      const sender = newRecord();
      const token = newRecord({ kind: 'service', roles: ['admin'] });
      await store.insert(sender, NOW);
      await store.insert(token, NOW);
      assert.deepEqual(await store.get(token.id), token);
      assert.equal(await store.get('1'), undefined);
      assert.deepEqual(await store.list('ingestion'), [sender]);
      assert.deepEqual(await store.list('service'), [token]);
      assert.deepEqual(await store.list('receiver'), []);
      await store.ping();
    });

    it('lists every one of many records', async (t) => {
      const store = open(t);
      const records = Array.from({ length: 700 }, () => newRecord());
      await Promise.all(records.map((record) => store.insert(record, NOW)));
      const ids = (await store.list('ingestion')).map((record) => record.id);
      assert.deepEqual(ids.sort(), records.map((record) => record.id).sort());
    });

    it('finds nothing in a new place', async (t) => {
      const store = open(t);
      assert.deepEqual(await store.list('ingestion'), []);
      assert.equal(await store.get('1'), undefined);
      assert.equal(await store.prune(NOW), 0);
    });

    it('lets only one live key of a kind have a name', async (t) => {
      const store = open(t);
      await store.insert(newRecord({ name: 'prod' }), NOW);
      const second = newRecord({ name: 'prod' });
      assert.equal(await store.insert(second, NOW), 'name_taken');
      assert.equal(await store.find([second.digest]), undefined);
      assert.equal(await store.insert(newRecord({ name: 'prod', kind: 'service' }), NOW), 'inserted');
    });

    it('never puts a record in the place of another one', async (t) => {
      const store = open(t);
      const first = newRecord();
      await store.insert(first, NOW);
      assert.equal(await store.insert(newRecord({ id: first.id }), NOW), 'exists');
      assert.equal(await store.insert(newRecord({ digest: first.digest }), NOW), 'exists');
      assert.deepEqual(await store.list('ingestion'), [first]);
    });

    it('frees the name of a key that was revoked', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW);
      await store.replace(revoked(record, NOW));
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW), 'inserted');
    });

    it('keeps the name of a disabled key', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW);
      await store.replace({ ...record, state: 'disabled', revision: 2 });
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW), 'name_taken');
    });

    it('frees the name of a key at the instant it expires', async (t) => {
      const store = open(t);
      await store.insert(newRecord({ name: 'prod', expiresAt: NOW + 10 }), NOW);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 9), 'name_taken');
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 10), 'inserted');
    });

    it('leaves a name with its new holder when the old, expired one is revoked', async (t) => {
      const store = open(t);
      const old = newRecord({ name: 'prod', expiresAt: NOW + 10 });
      await store.insert(old, NOW);
      await store.insert(newRecord({ name: 'prod' }), NOW + 10);
      await store.replace(revoked(old, NOW + 11));
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 12), 'name_taken');
    });

    it('replaces a record only if nobody changed it in between', async (t) => {
      const store = open(t);
      const record = newRecord();
      await store.insert(record, NOW);
      const changed = revoked(record, NOW);
      assert.equal(await store.replace(changed), 'replaced');
      assert.equal(await store.replace({ ...record, state: 'disabled', revision: 2 }), 'conflict');
      assert.equal(await store.replace({ ...newRecord(), revision: 2 }), 'absent');
      assert.deepEqual(await store.find([record.digest]), changed);
    });

    it('keeps tombstones until they are pruned, and then forgets them wholly', async (t) => {
      const store = open(t);
      const live = newRecord();
      const expired = newRecord({ expiresAt: NOW - 100, name: 'prod' });
      const dropped = newRecord({ expiresAt: NOW + 100 });
      const recent = newRecord();
      for (const record of [live, expired, dropped, recent]) await store.insert(record, NOW - 200);
      await store.replace(revoked(dropped, NOW - 50));
      await store.replace(revoked(recent, NOW));
      assert.equal((await store.find([dropped.digest]))?.state, 'revoked');

      assert.equal(await store.prune(NOW), 2);

      assert.equal(await store.find([expired.digest]), undefined);
      assert.equal(await store.find([dropped.digest]), undefined);
      assert.equal((await store.find([recent.digest]))?.state, 'revoked');
      assert.deepEqual(await store.find([live.digest]), live);
      assert.equal(await store.prune(NOW), 0);
      assert.equal(await store.insert({ ...expired, expiresAt: NOW + 1 }, NOW), 'inserted');
    });

    it('tells a watch of each change, by its own store and by others, in order', async (t) => {
      const place = kind.newPlace();
      const ours = open(t, place);
      const theirs = open(t, place);
      await theirs.insert(newRecord(), NOW);
      const witness = createWitness();
      const watch = await ours.watch(witness);
      t.after(() => watch.close());
      const [first, second] = [newRecord(), newRecord()];

      await ours.insert(first, NOW);
      await witness.until(1);
      await theirs.insert(second, NOW);
      await witness.until(2);
      await theirs.replace(revoked(first, NOW));

      assert.deepEqual(await witness.until(3), [first.digest, second.digest, first.digest]);
    });

    it('tells a watch of the first key of all', async (t) => {
      const place = kind.newPlace();
      const store = open(t, place);
      const witness = createWitness();
      const watch = await store.watch(witness);
      t.after(() => watch.close());
      const record = newRecord();
      await open(t, place).insert(record, NOW);
      assert.deepEqual(await witness.until(1), [record.digest]);
    });

    it('tells a closed watch nothing', async (t) => {
      const store = open(t);
      const [closed, open_] = [createWitness(), createWitness()];
      const watch = await store.watch(closed);
      const other = await store.watch(open_);
      t.after(() => other.close());
      await watch.close();
      await store.insert(newRecord(), NOW);
      await open_.until(1);
      assert.deepEqual(closed.seen, []);
    });

    it('lets one of many concurrent inserts of a name win', async (t) => {
      const place = kind.newPlace();
      const stores = Array.from({ length: 4 }, () => open(t, place));
      const tenEach = Array.from({ length: 10 }, () => stores).flat();
      const outcomes = await Promise.all(tenEach.map((store) => store.insert(newRecord({ name: 'prod' }), NOW)));
      assert.equal(outcomes.filter((outcome) => outcome === 'inserted').length, 1);
      assert.equal(outcomes.filter((outcome) => outcome === 'name_taken').length, 39);
      assert.equal((await stores[0]?.list('ingestion'))?.length, 1);
    });

    it('lets one of many concurrent changes of a record win', async (t) => {
      const place = kind.newPlace();
      const stores = Array.from({ length: 4 }, () => open(t, place));
      const record = newRecord();
      await stores[0]?.insert(record, NOW);
      const outcomes = await Promise.all(stores.map((store) => store.replace(revoked(record, NOW))));
      assert.deepEqual(outcomes.sort(), ['conflict', 'conflict', 'conflict', 'replaced']);
    });

    it('throws a StoreError after it was closed, and can be closed twice', async () => {
      const store = kind.newPlace().open();
      await store.close();
      await store.close();
      await assert.rejects(store.find([digestOf('any')]), { name: 'StoreError', fault: 'unavailable' });
    });
  });
}
