import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { AuditEntry } from '../../src/keys/audit.ts';
import type { KeyStore, StoredAuditEntry } from '../../src/store/port.ts';
import { storeKinds } from '../support/store-kinds.ts';
import { createWitness, ENTRY, newRecord, revoked, succession } from '../support/stores.ts';

const NOW = 1_700_000_000_000;
const BOTH = [ENTRY, ENTRY] as const;

function entryOf(id: string, at = NOW, fields: Partial<AuditEntry> = {}): AuditEntry {
  return { ...ENTRY, id, at, ...fields };
}

function entriesIn(stored: readonly StoredAuditEntry[]): AuditEntry[] {
  return stored.map(({ entry }) => entry);
}

for (const kind of storeKinds()) {
  describe(`the life of keys in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    function open(t: TestContext, place = kind.newPlace()): KeyStore {
      const store = place.open();
      t.after(() => store.close());
      return store;
    }

    it('puts a successor beside its predecessor, and both are found', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(record, NOW + 10);
      assert.equal(await store.succeed(predecessor, successor, NOW, BOTH), 'succeeded');
      assert.deepEqual(await store.find([record.digest]), predecessor);
      assert.deepEqual(await store.find([successor.digest]), successor);
    });

    it('leaves the name with the successor, whatever becomes of the predecessor', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(record, NOW + 10);
      await store.succeed(predecessor, successor, NOW, BOTH);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'name_taken');
      await store.replace(revoked(predecessor, NOW), ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'name_taken');
      await store.prune(NOW + 1);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'name_taken');
    });

    it('frees the name with the successor, though the predecessor still lives', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod' });
      await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(record, NOW + 10);
      await store.succeed(predecessor, successor, NOW, BOTH);
      await store.replace(revoked(successor, NOW), ENTRY);
      assert.equal(await store.insert(newRecord({ name: 'prod' }), NOW, ENTRY), 'inserted');
    });

    it('changes neither key when the predecessor was changed, is gone, or lost its name', async (t) => {
      const store = open(t);
      const record = newRecord({ name: 'prod', expiresAt: NOW + 10 });
      await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(record, NOW + 10);
      const late = { ...predecessor, revision: 3 };
      assert.equal(await store.succeed(late, successor, NOW, BOTH), 'conflict');
      assert.equal(await store.succeed({ ...newRecord(), revision: 2 }, successor, NOW, BOTH), 'absent');
      await store.insert(newRecord({ name: 'prod' }), NOW + 10, ENTRY);
      assert.equal(await store.succeed(predecessor, successor, NOW + 10, BOTH), 'conflict');
      assert.deepEqual(await store.get(record.id), record);
      assert.equal(await store.get(successor.id), undefined);
      assert.equal((await store.audit({ limit: 10 })).length, 2);
    });

    it('never puts a successor in the place of another key', async (t) => {
      const store = open(t);
      const record = newRecord();
      const other = newRecord();
      await store.insert(record, NOW, ENTRY);
      await store.insert(other, NOW, ENTRY);
      const sameId = succession(record, NOW + 10, { id: other.id });
      const sameDigest = succession(record, NOW + 10, { digest: other.digest });
      assert.equal(await store.succeed(sameId.predecessor, sameId.successor, NOW, BOTH), 'exists');
      assert.equal(await store.succeed(sameDigest.predecessor, sameDigest.successor, NOW, BOTH), 'exists');
      assert.deepEqual(await store.get(record.id), record);
      assert.deepEqual(await store.get(other.id), other);
    });

    it('lets one of many concurrent successions win', async (t) => {
      const place = kind.newPlace();
      const stores = Array.from({ length: 4 }, () => open(t, place));
      const record = newRecord();
      await stores[0]?.insert(record, NOW, ENTRY);
      const outcomes = await Promise.all(
        stores.map((store) => {
          const { predecessor, successor } = succession(record, NOW + 10);
          return store.succeed(predecessor, successor, NOW, BOTH);
        }),
      );
      assert.deepEqual(outcomes.sort(), ['conflict', 'conflict', 'conflict', 'succeeded']);
      assert.equal((await stores[0]?.list('ingestion'))?.length, 2);
    });

    it('tells a watch of both keys of a succession', async (t) => {
      const place = kind.newPlace();
      const ours = open(t, place);
      const theirs = open(t, place);
      const record = newRecord();
      await theirs.insert(record, NOW, ENTRY);
      const witness = createWitness();
      const watch = await ours.watch(witness);
      t.after(() => watch.close());
      const { predecessor, successor } = succession(record, NOW + 10);
      await theirs.succeed(predecessor, successor, NOW, BOTH);
      assert.deepEqual(await witness.until(2), [record.digest, successor.digest]);
    });

    it('prunes a key that another one replaced when its grace is long over', async (t) => {
      const store = open(t);
      const record = newRecord({ expiresAt: NOW + 1_000 });
      await store.insert(record, NOW, ENTRY);
      const { predecessor, successor } = succession(record, NOW + 10);
      await store.succeed(predecessor, successor, NOW, BOTH);
      assert.equal(await store.prune(NOW + 10), 0);
      assert.equal(await store.prune(NOW + 11), 1);
      assert.deepEqual(await store.list('ingestion'), [successor]);
    });

    it('keeps the audit entry of each change that was made, and of no other, newest first', async (t) => {
      const store = open(t);
      assert.deepEqual(await store.audit({ limit: 10 }), []);
      const record = newRecord({ name: 'prod' });
      const full = entryOf(record.id, NOW, {
        actor: 'Jürgen "x"',
        via: 'admin-api',
        address: '::1',
        after: { description: 'Größe', roles: ['a'] },
      });
      await store.insert(record, NOW, full);
      await store.insert(newRecord({ name: 'prod' }), NOW, entryOf('not inserted'));
      await store.insert(newRecord({ id: record.id }), NOW, entryOf('not inserted'));
      const disabled = { ...record, state: 'disabled', revision: 2 } as const;
      await store.replace(disabled, entryOf(record.id, NOW + 1));
      await store.replace(disabled, entryOf('not replaced'));
      await store.replace({ ...newRecord(), revision: 2 }, entryOf('not replaced'));
      const { predecessor, successor } = succession(disabled, NOW + 10);
      await store.succeed(predecessor, successor, NOW, [entryOf(record.id, NOW + 2), entryOf(successor.id, NOW + 2)]);
      await store.succeed(predecessor, newRecord(), NOW, [entryOf('not succeeded'), entryOf('not succeeded')]);
      assert.deepEqual(entriesIn(await store.audit({ limit: 10 })), [
        entryOf(successor.id, NOW + 2),
        entryOf(record.id, NOW + 2),
        entryOf(record.id, NOW + 1),
        full,
      ]);
    });

    it('reads the audit log page by page, and of one key only, while others go on writing', async (t) => {
      const store = open(t);
      const record = newRecord();
      await store.insert(record, NOW, entryOf(record.id, NOW));
      const others = Array.from({ length: 600 }, (_, index) => entryOf('2', NOW + 1 + index));
      for (const entry of others) await store.insert(newRecord(), NOW, entry);
      const newest = await store.audit({ limit: 2 });
      assert.deepEqual(
        newest.map(({ entry }) => entry.at),
        [NOW + 600, NOW + 599],
      );
      await store.insert(newRecord(), NOW, entryOf('2', NOW + 601));
      const next = await store.audit({ limit: 2, before: newest[1]?.cursor });
      assert.deepEqual(
        next.map(({ entry }) => entry.at),
        [NOW + 598, NOW + 597],
      );
      const all = await store.audit({ limit: 1_000 });
      assert.equal(new Set(all.map(({ cursor }) => cursor)).size, 602);
      assert.deepEqual(await store.audit({ limit: 5, before: all.at(-1)?.cursor }), []);
      assert.deepEqual(entriesIn(await store.audit({ limit: 5, keyId: record.id })), [entryOf(record.id, NOW)]);
      assert.deepEqual(await store.audit({ limit: 5, keyId: record.id, before: all.at(-1)?.cursor }), []);
    });
  });
}
