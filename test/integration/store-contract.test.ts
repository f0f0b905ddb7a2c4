import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { AuditEntry } from '../../src/keys/audit.ts';
import type { KeyRecord } from '../../src/keys/record.ts';
import type { KeyStore } from '../../src/store/port.ts';
import { storeKinds } from '../support/store-kinds.ts';
import {
  asOwner,
  createWitness,
  digestOf,
  ENTRY,
  insertAll,
  newOwner,
  newRecord,
  revoked,
  succession,
} from '../support/stores.ts';

const NOW = 1_700_000_000_000;

for (const kind of storeKinds()) {
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
      assert.equal(await store.insert(record, NOW, ENTRY), 'inserted');
      assert.deepEqual(await store.find([record.digest]), record);
      assert.deepEqual(await store.find([digestOf('other'), record.digest]), record);
      assert.equal(await store.find([digestOf('other')]), undefined);
    });

    it('gets a record by its id, and lists those of one kind', async (t) => {
      const store = open(t);
      const sender = newRecord();
      const token = newRecord({ kind: 'service', roles: ['admin'] });
      await store.insert(sender, NOW, ENTRY);
      await store.insert(token, NOW, ENTRY);
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
      await insertAll(store, records, NOW);
      const ids = (await store.list('ingestion')).map((record) => record.id);
      assert.deepEqual(ids.sort(), records.map((record) => record.id).sort());
    });

    it('finds nothing in a new place', async (t) => {
      const store = open(t);
      assert.deepEqual(await store.list('ingestion'), []);
      assert.equal(await store.get('1'), undefined);
      assert.equal(await store.prune(NOW), 0);
    });

    it('forgets one record when told, and only as it was', async (t) => {
      const store = open(t);
      const record = newRecord();
      await store.insert(record, NOW, undefined);
      const dead = revoked(record, NOW);
      await store.replace(dead, undefined);
      assert.equal(await store.forget(record), false);
      assert.equal(await store.forget(dead), true);
      assert.equal(await store.find([record.digest]), undefined);
      assert.equal(await store.forget(dead), false);
      assert.deepEqual(await store.audit({ limit: 10 }), []);
    });

    it('inserts many records, each by itself, and says what became of each', async (t) => {
      const store = open(t);
      const there = newRecord({ name: 'there' });
      await store.insert(there, NOW, ENTRY);
      const fresh = Array.from({ length: 120 }, () => newRecord());
      const [first] = fresh;
      assert.ok(first);
      const records = [
        ...fresh,
        newRecord({ name: 'there' }),
        newRecord({ id: there.id }),
        newRecord({ name: first.name }),
      ];
      const additions = records.map((record) => ({ record, entry: { ...ENTRY, id: record.id } }));
      const inserted = fresh.map(() => 'inserted' as const);

      const dry = await store.insertAll(additions, NOW, { dryRun: true });
      assert.deepEqual(dry.slice(0, -1), [...inserted, 'name_taken', 'exists']);
      assert.deepEqual(await store.list('ingestion'), [there]);

      const outcomes = await store.insertAll(additions, NOW, { dryRun: false });
      assert.deepEqual(outcomes, [...inserted, 'name_taken', 'exists', 'name_taken']);
      assert.equal((await store.list('ingestion')).length, 121);
      const again = await store.insertAll(additions.slice(1, 3), NOW, { dryRun: false });
      assert.ok(again.every((outcome) => outcome !== 'inserted'));
      const [last] = await store.audit({ limit: 1, keyId: first.id });
      assert.deepEqual(last?.entry, { ...ENTRY, id: first.id });
    });

    it('says what would be inserted first of all, and makes no store for it', async (t) => {
      const store = open(t);
      const addition = { record: newRecord(), entry: ENTRY };
      assert.deepEqual(await store.insertAll([addition], NOW, { dryRun: true }), ['inserted']);
      assert.deepEqual(await store.list('ingestion'), []);
      assert.deepEqual(await store.insertAll([addition], NOW, { dryRun: false }), ['inserted']);
    });

    it('lets records that hold no name stand beside the one that does, in any order', async (t) => {
      const store = open(t);
      const live = newRecord({ name: 'prod' });
      const dead = revoked(newRecord({ name: 'prod' }), NOW);
      const expired = newRecord({ name: 'prod', expiresAt: NOW });
      const retiring = newRecord({ name: 'prod', replacedBy: live.id, retireAt: NOW + 1_000 });
      const insert = (record: KeyRecord) => store.insert(record, NOW, ENTRY);
      assert.equal(await insert(retiring), 'inserted');
      assert.equal(await insert(live), 'inserted');
      for (const record of [dead, expired]) assert.equal(await insert(record), 'inserted');
      assert.equal(await insert(newRecord({ name: 'prod' })), 'name_taken');
    });

    it('gives the sealed copy of a text to whoever asks for the id, and to nobody else', async (t) => {
      const store = open(t);
      const sealed = { by: '2026', nonce: 'nonce', text: 'text', tag: 'tag' };
      const record = newRecord();
      await store.insert({ ...record, sealed }, NOW, ENTRY);
      assert.deepEqual(await store.get(record.id), { ...record, sealed });
      assert.deepEqual(await store.find([record.digest]), record);
      assert.deepEqual(await store.list('ingestion'), [record]);
      assert.deepEqual((await store.page('ingestion', { limit: 5 })).records, [record]);
    });

    it('notes in the audit log what changes no record', async (t) => {
      const store = open(t);
      const record = newRecord();
      await store.insert(record, NOW, { ...ENTRY, id: record.id });
      const entry: AuditEntry = { ...ENTRY, action: 'revealed', id: record.id };
      await store.note(entry);
      const logged = await store.audit({ limit: 10, keyId: record.id });
      assert.deepEqual(
        logged.map((each) => each.entry),
        [entry, { ...ENTRY, id: record.id }],
      );
      assert.deepEqual(await store.get(record.id), record);
    });

    it('lets only one live key of a kind have a name', async (t) => {
      const store = open(t);
      await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY);
      const second = newRecord({ name: 'prod' });
      assert.equal(await store.insert(second, NOW, ENTRY), 'name_taken');
      assert.equal(await store.find([second.digest]), undefined);
      assert.equal(await store.insert(newRecord({ name: 'prod', kind: 'service' }), NOW, ENTRY), 'inserted');
    });

    it('never puts a record in the place of another one', async (t) => {
      const store = open(t);
      const first = newRecord();
      await store.insert(first, NOW, ENTRY);
      assert.equal(await store.insert(newRecord({ id: first.id }), NOW, ENTRY), 'exists');
      assert.equal(await store.insert(newRecord({ digest: first.digest }), NOW, ENTRY), 'exists');
      assert.deepEqual(await store.list('ingestion'), [first]);
    });

    it('frees the name of a key that was revoked', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW, ENTRY);
      await store.replace(revoked(record, NOW), ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'inserted');
    });

    it('keeps the name of a disabled key', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW, ENTRY);
      await store.replace({ ...record, state: 'disabled', revision: 2 }, ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'name_taken');
    });

    it('frees the name of a key at the instant it expires', async (t) => {
      const store = open(t);
      await store.insert(newRecord({ name: 'prod', expiresAt: NOW + 10 }), NOW, ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 9, ENTRY), 'name_taken');
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 10, ENTRY), 'inserted');
    });

    it('leaves a name with its new holder when the old, expired one is revoked', async (t) => {
      const store = open(t);
      const old = newRecord({ name: 'prod', expiresAt: NOW + 10 });
      await store.insert(old, NOW, ENTRY);
      await store.insert(newRecord({ name: 'prod' }), NOW + 10, ENTRY);
      await store.replace(revoked(old, NOW + 11), ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW + 12, ENTRY), 'name_taken');
    });

    it('does not call a key back to life over the head of the one that has its name by now', async (t) => {
      const store = open(t);
      const old = newRecord({ name: 'prod', expiresAt: NOW + 10 });
      await store.insert(old, NOW, ENTRY);
      const prolonged = { ...old, expiresAt: NOW + 100, revision: 2 };
      const next = newRecord({ name: 'prod' });
      await store.insert(next, NOW + 10, ENTRY);
      // It was decided on while the old one lived, and comes late.
      assert.equal(await store.replace(prolonged, { ...ENTRY, at: NOW + 9 }), 'conflict');
      assert.deepEqual(await store.find([old.digest]), old);
      assert.deepEqual(await store.named('ingestion', 'prod'), next);
      assert.equal(await store.replace(revoked(old, NOW + 11), { ...ENTRY, at: NOW + 11 }), 'replaced');
    });

    it('changes a key whose name went to its successor', async (t) => {
      const store = open(t);
      const old = newRecord({ name: 'prod' });
      await store.insert(old, NOW, ENTRY);
      const { predecessor, successor } = succession(old, NOW + 10);
      await store.succeed(predecessor, successor, NOW, [ENTRY, ENTRY]);
      const described = { ...predecessor, description: 'old', revision: 3 };
      assert.equal(await store.replace(described, { ...ENTRY, at: NOW }), 'replaced');
      assert.deepEqual(await store.named('ingestion', 'prod'), successor);
    });

    it('finds a record by its kind and name', async (t) => {
      const store = open(t);
      assert.equal(await store.named('user', 'alice'), undefined);
      const deleted = newOwner({ kind: 'user', name: 'alice' });
      const alice = newOwner({ kind: 'user', name: 'alice' });
      await store.insert(deleted, NOW, ENTRY);
      await store.replace(revoked(deleted, NOW), ENTRY);
      await store.insert(alice, NOW, ENTRY);
      await store.insert(newRecord({ name: 'alice' }), NOW, ENTRY);
      assert.deepEqual(await store.named('user', 'alice'), alice);
      assert.equal(await store.named('serviceId', 'alice'), undefined);
    });

    it('keeps owners as it keeps keys, and says whose a key is', async (t) => {
      const store = open(t);
      const owner = newOwner();
      const key = newRecord({ owner: asOwner(owner) });
      const witness = createWitness();
      const watch = await store.watch(witness);
      t.after(() => watch.close());
      await store.insert(owner, NOW, ENTRY);
      await store.insert(key, NOW, ENTRY);
      assert.deepEqual(await store.find([owner.digest]), owner);
      assert.deepEqual(await store.find([key.digest]), key);
      assert.deepEqual(await store.list('serviceId'), [owner]);
      await store.replace({ ...owner, state: 'disabled', revision: 2 }, ENTRY);
      assert.deepEqual(await witness.until(3), [owner.digest, key.digest, owner.digest]);
    });

    it('takes no key for an owner, and no owner for a key', async (t) => {
      const store = open(t);
      const [key, owner] = [newRecord(), newOwner()];
      const [posing, hashed] = [newRecord({ digest: owner.digest }), newOwner()];
      await store.insert(posing, NOW, ENTRY);
      await store.insert({ ...hashed, digest: key.digest }, NOW, ENTRY);
      await assert.rejects(store.find([owner.digest]), { name: 'StoreError', fault: 'corrupt' });
      await assert.rejects(store.find([key.digest]), { name: 'StoreError', fault: 'corrupt' });
    });

    it('replaces a record only if nobody changed it in between', async (t) => {
      const store = open(t);
      const record = newRecord();
      await store.insert(record, NOW, ENTRY);
      const changed = revoked(record, NOW);
      assert.equal(await store.replace(changed, ENTRY), 'replaced');
      assert.equal(await store.replace({ ...record, state: 'disabled', revision: 2 }, ENTRY), 'conflict');
      assert.equal(await store.replace({ ...newRecord(), revision: 2 }, ENTRY), 'absent');
      assert.deepEqual(await store.find([record.digest]), changed);
    });

    it('keeps tombstones until they are pruned, and then forgets them wholly', async (t) => {
      const store = open(t);
      const live = newRecord();
      const expired = newRecord({ expiresAt: NOW - 100, name: 'prod' });
      const dropped = newRecord({ expiresAt: NOW + 100 });
      const recent = newRecord();
      for (const record of [live, expired, dropped, recent]) await store.insert(record, NOW - 200, ENTRY);
      await store.replace(revoked(dropped, NOW - 50), ENTRY);
      await store.replace(revoked(recent, NOW), ENTRY);
      assert.equal((await store.find([dropped.digest]))?.state, 'revoked');

      assert.equal(await store.prune(NOW), 2);

      assert.equal(await store.find([expired.digest]), undefined);
      assert.equal(await store.find([dropped.digest]), undefined);
      assert.equal((await store.find([recent.digest]))?.state, 'revoked');
      assert.deepEqual(await store.find([live.digest]), live);
      assert.equal(await store.prune(NOW), 0);
      assert.equal(await store.insert({ ...expired, expiresAt: NOW + 1 }, NOW, ENTRY), 'inserted');
    });

    it('tells a watch of each change, by its own store and by others, in order', async (t) => {
      const place = kind.newPlace();
      const ours = open(t, place);
      const theirs = open(t, place);
      await theirs.insert(newRecord(), NOW, ENTRY);
      const witness = createWitness();
      const watch = await ours.watch(witness);
      t.after(() => watch.close());
      const [first, second] = [newRecord(), newRecord()];

      await ours.insert(first, NOW, ENTRY);
      await witness.until(1);
      await theirs.insert(second, NOW, ENTRY);
      await witness.until(2);
      await theirs.replace(revoked(first, NOW), ENTRY);

      assert.deepEqual(await witness.until(3), [first.digest, second.digest, first.digest]);
    });

    it('tells a watch of the first key of all', async (t) => {
      const place = kind.newPlace();
      const store = open(t, place);
      const witness = createWitness();
      const watch = await store.watch(witness);
      t.after(() => watch.close());
      const record = newRecord();
      await open(t, place).insert(record, NOW, ENTRY);
      assert.deepEqual(await witness.until(1), [record.digest]);
    });

    it('tells a closed watch nothing', async (t) => {
      const store = open(t);
      const [closed, open_] = [createWitness(), createWitness()];
      const watch = await store.watch(closed);
      const other = await store.watch(open_);
      t.after(() => other.close());
      await watch.close();
      await store.insert(newRecord(), NOW, ENTRY);
      await open_.until(1);
      assert.deepEqual(closed.seen, []);
    });

    it('lets one of many concurrent inserts of a name win', async (t) => {
      const place = kind.newPlace();
      const stores = Array.from({ length: 4 }, () => open(t, place));
      const tenEach = Array.from({ length: 10 }, () => stores).flat();
      const outcomes = await Promise.all(tenEach.map((store) => store.insert(newRecord({ name: 'prod' }), NOW, ENTRY)));
      assert.equal(outcomes.filter((outcome) => outcome === 'inserted').length, 1);
      assert.equal(outcomes.filter((outcome) => outcome === 'name_taken').length, 39);
      assert.equal((await stores[0]?.list('ingestion'))?.length, 1);
    });

    it('lets one of many concurrent changes of a record win', async (t) => {
      const place = kind.newPlace();
      const stores = Array.from({ length: 4 }, () => open(t, place));
      const record = newRecord();
      await stores[0]?.insert(record, NOW, ENTRY);
      const outcomes = await Promise.all(stores.map((store) => store.replace(revoked(record, NOW), ENTRY)));
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
