import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createDigester } from '../../../src/credential/digest.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import type { KeyStore } from '../../../src/store/port.ts';
import { decide } from '../../../src/verdict/decide.ts';
import { DAY_MS, failsWith, setUpService } from '../../support/key-service.ts';
import { ENTRY } from '../../support/stores.ts';

const ALICE = { name: 'alice' };
const BOB = { name: 'bob', via: 'admin-api', address: '10.0.0.7' } as const;

function verdictOn(record: KeyRecord, nowMs: number): string {
  const decision = decide({ kind: 'known', record }, { to: 'ask' }, nowMs);
  return decision.verdict === 'allow' ? 'allow' : decision.reason;
}

describe('rotating a key', () => {
  it('makes a new key with the same settings under the same name, and says when the old one ends', async (t) => {
    const { service, store, now, advance } = setUpService(t);
    const settings = { name: 'prod', description: 'Berlin', tenant: 'acme' };
    const { record: old } = await service.create({ kind: 'ingestion', ...settings }, ALICE);
    await store.replace({ ...old, signals: ['logs'], revision: 2 }, ENTRY);
    advance(5);
    const { record, text, predecessor } = await service.rotate('ingestion', old.id, {}, BOB);
    assert.deepEqual(record, {
      id: record.id,
      kind: 'ingestion',
      ...settings,
      signals: ['logs'],
      digest: createDigester({})(text).digest,
      state: 'active',
      createdAt: now(),
      createdBy: 'bob',
      revision: 1,
    });
    const retiring = {
      ...old,
      signals: ['logs'],
      revision: 3,
      changedAt: now(),
      replacedBy: record.id,
      retireAt: now() + DAY_MS,
    };
    assert.deepEqual(predecessor, retiring);
    assert.notEqual(record.id, old.id);
    assert.deepEqual(await service.get('ingestion', old.id), retiring);
    assert.deepEqual(await service.get('ingestion', record.id), record);
  });

  it('keeps roles and subject of a service token', async (t) => {
    const { service } = setUpService(t);
    await service.createOwner({ kind: 'user', name: 'bot' }, ALICE);
    const token = { kind: 'service', name: 'ci', roles: ['viewer'], owner: 'bot' } as const;
    const { record: old } = await service.create(token, ALICE);
    const { record, text } = await service.rotate('service', old.id, {}, ALICE);
    assert.match(text, /^svctok-/);
    assert.deepEqual([record.roles, record.owner], [['viewer'], old.owner]);
  });

  it('lets both keys work until exactly the end of the grace, then the new one only', async (t) => {
    const { service, now, advance } = setUpService(t);
    const { record: old } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const { record, predecessor } = await service.rotate('ingestion', old.id, { graceMs: 1_000 }, ALICE);
    const verdicts = () => [verdictOn(predecessor, now()), verdictOn(record, now())];
    assert.deepEqual(verdicts(), ['allow', 'allow']);
    advance(999);
    assert.deepEqual(verdicts(), ['allow', 'allow']);
    advance(1);
    assert.deepEqual(verdicts(), ['expired_key', 'allow']);
  });

  it('never lets the old key work past its own expiry, which the new one does not inherit', async (t) => {
    const { service, now } = setUpService(t);
    const expiresAt = now() + 500;
    const { record: old } = await service.create({ kind: 'ingestion', name: 'prod', expiresAt }, ALICE);
    const { record, predecessor } = await service.rotate('ingestion', old.id, { graceMs: 1_000 }, ALICE);
    assert.equal(predecessor.retireAt, expiresAt);
    assert.equal(verdictOn(predecessor, expiresAt), 'expired_key');
    assert.equal(record.expiresAt, undefined);
    const next = await service.rotate('ingestion', record.id, { expiresAt: now() + 7 }, ALICE);
    assert.equal(next.record.expiresAt, now() + 7);
  });

  it('revokes the old key at once when there is no grace', async (t) => {
    const { service, now } = setUpService(t);
    const { record: old } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const { record, predecessor } = await service.rotate('ingestion', old.id, { graceMs: 0 }, BOB);
    assert.deepEqual(predecessor, {
      ...old,
      state: 'revoked',
      changedAt: now(),
      revokedAt: now(),
      revokedBy: 'bob',
      replacedBy: record.id,
      revision: 2,
    });
  });

  it('lists both under one name while both work, and then the new one only', async (t) => {
    const { service, now, advance } = setUpService(t);
    const { record: old } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const { record } = await service.rotate('ingestion', old.id, { graceMs: 10 }, ALICE);
    const listed = async () => (await service.list('ingestion')).map(({ id }) => id);
    assert.deepEqual(await listed(), [old.id, record.id].sort());
    advance(10);
    assert.deepEqual(await listed(), [record.id]);
    assert.equal((await service.list('ingestion', { all: true })).length, 2);
    advance(30 * DAY_MS + 1);
    assert.equal(await service.prune(), 1);
    assert.equal(verdictOn(record, now()), 'allow');
  });

  it('holds the name for the new key: nobody else gets it while either works', async (t) => {
    const { service } = setUpService(t);
    const { record: old } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const { record } = await service.rotate('ingestion', old.id, {}, ALICE);
    await assert.rejects(service.create({ kind: 'ingestion', name: 'prod' }, ALICE), failsWith('name_taken', /prod/));
    await service.revoke('ingestion', record.id, ALICE);
    await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
  });

  it('is refused for a key that is replaced, disabled, expired or revoked, each in its own words', async (t) => {
    const { service, now, advance } = setUpService(t);
    const create = async (name: string, expiresAt?: number) =>
      (await service.create({ kind: 'ingestion', name, expiresAt }, ALICE)).record.id;
    const rotate = (id: string) => service.rotate('ingestion', id, { graceMs: 10 }, ALICE);
    const [replaced, disabled, expired, gone] = [
      await create('a'),
      await create('b'),
      await create('c', now() + 5),
      await create('d'),
    ];
    const { record } = await rotate(replaced);
    await assert.rejects(
      rotate(replaced),
      failsWith('wrong_state', new RegExp(`${replaced} was replaced by ${record.id} already\\. Rotate that one\\.$`)),
    );
    await service.disable('ingestion', disabled, ALICE);
    await assert.rejects(rotate(disabled), failsWith('wrong_state', /is disabled\. Enable it before you rotate it/));
    await service.revoke('ingestion', gone, ALICE);
    await assert.rejects(rotate(gone), failsWith('wrong_state', /was deleted, which cannot be undone\. Create a new/));
    advance(10);
    await assert.rejects(rotate(expired), failsWith('wrong_state', /has expired, which cannot be undone\. Create a/));
    await assert.rejects(
      rotate(replaced),
      failsWith('wrong_state', /was replaced by [0-9]+ and no longer works\. Use/),
    );
    await assert.rejects(rotate('1'), failsWith('not_found', /id 1\./));
  });

  it('refuses a grace that is no time or too long, and an expiry in the past', async (t) => {
    const { service, now } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    for (const graceMs of [-1, 0.5, Number.NaN, 365 * DAY_MS + 1]) {
      await assert.rejects(
        service.rotate('ingestion', record.id, { graceMs }, ALICE),
        failsWith('invalid_grace', /from 0 to 365 days/),
      );
    }
    const late = service.rotate('ingestion', record.id, { expiresAt: now() }, ALICE);
    await assert.rejects(late, failsWith('invalid_expiry', /future/));
    assert.deepEqual(await service.get('ingestion', record.id), record);
  });

  it('lets one of two concurrent rotations win; the other hears that the key is replaced', async (t) => {
    const { service } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const both = await Promise.allSettled([1, 2].map(() => service.rotate('ingestion', record.id, {}, ALICE)));
    const [won, lost] = both.toSorted((a, b) => a.status.localeCompare(b.status));
    assert.equal(won?.status, 'fulfilled');
    assert.ok(lost?.status === 'rejected' && failsWith('wrong_state', /already/)(lost.reason));
    assert.equal((await service.list('ingestion')).length, 2);
  });
});

describe('disabling, enabling and updating a key', () => {
  it('disables a key and enables it again; doing so twice changes nothing more', async (t) => {
    const { service, now } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const disabled = await service.disable('ingestion', record.id, ALICE);
    assert.deepEqual(disabled, { ...record, state: 'disabled', changedAt: now(), revision: 2 });
    assert.equal(verdictOn(disabled, now()), 'disabled_key');
    assert.deepEqual(await service.disable('ingestion', record.id, ALICE), disabled);
    await assert.rejects(service.create({ kind: 'ingestion', name: 'prod' }, ALICE), failsWith('name_taken', /prod/));
    const enabled = await service.enable('ingestion', record.id, ALICE);
    assert.deepEqual(enabled, { ...record, changedAt: now(), revision: 3 });
    assert.deepEqual(await service.enable('ingestion', record.id, ALICE), enabled);
    assert.deepEqual(
      (await service.audit({ limit: 10 })).map(({ entry }) => entry.action),
      ['enabled', 'disabled', 'created'],
    );
  });

  it('disables a key in its grace, too, and enabling it gives it no more time', async (t) => {
    const { service, now } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const { predecessor } = await service.rotate('ingestion', record.id, { graceMs: 10 }, ALICE);
    await service.disable('ingestion', record.id, ALICE);
    const enabled = await service.enable('ingestion', record.id, ALICE);
    assert.deepEqual(enabled, { ...predecessor, revision: 4 });
    assert.equal(verdictOn(enabled, now() + 10), 'expired_key');
  });

  it('changes description and expiry, removes either, and leaves what is not given', async (t) => {
    const { service, now } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const update = (change: Parameters<typeof service.update>[2]) =>
      service.update('ingestion', record.id, change, ALICE);
    const described = await update({ description: 'Berlin' });
    assert.deepEqual(described, { ...record, description: 'Berlin', changedAt: now(), revision: 2 });
    const expiring = await update({ expiresAt: now() + 10 });
    assert.deepEqual(expiring, { ...described, expiresAt: now() + 10, revision: 3 });
    assert.deepEqual(await update({}), expiring);
    assert.deepEqual(await update({ description: 'Berlin', expiresAt: now() + 10 }), expiring);
    assert.deepEqual(await update({ description: '', expiresAt: null }), { ...record, changedAt: now(), revision: 4 });
  });

  it('refuses faulty values', async (t) => {
    const { service, now } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const update = (change: Parameters<typeof service.update>[2]) =>
      service.update('ingestion', record.id, change, ALICE);
    await assert.rejects(update({ description: '\u0007' }), failsWith('invalid_description', /control/));
    await assert.rejects(update({ expiresAt: now() }), failsWith('invalid_expiry', /future/));
    assert.deepEqual(await service.get('ingestion', record.id), record);
  });

  it('brings no dead key back to life', async (t) => {
    const { service, now, advance } = setUpService(t);
    const { record: expired } = await service.create({ kind: 'ingestion', name: 'a', expiresAt: now() + 1 }, ALICE);
    const { record: gone } = await service.create({ kind: 'ingestion', name: 'b' }, ALICE);
    await service.revoke('ingestion', gone.id, ALICE);
    advance(1);
    for (const { id } of [expired, gone]) {
      await assert.rejects(service.enable('ingestion', id, ALICE), failsWith('wrong_state', /cannot be undone/));
      await assert.rejects(service.disable('ingestion', id, ALICE), failsWith('wrong_state', /cannot be undone/));
      const later = service.update('ingestion', id, { expiresAt: now() + 10 }, ALICE);
      await assert.rejects(later, failsWith('wrong_state', /cannot be undone/));
    }
  });

  it('finds no key of another kind', async (t) => {
    const { service } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    await assert.rejects(service.get('service', record.id), failsWith('not_found', /no service token/));
    await assert.rejects(service.disable('service', record.id, ALICE), failsWith('not_found', /no service token/));
    await assert.rejects(service.rotate('service', record.id, {}, ALICE), failsWith('not_found', /no service token/));
  });
});

describe('changes by several at once', () => {
  /** A store in which somebody else changes the record just before each of our first writes. */
  function meddled(times: number) {
    let left = times;
    return (store: KeyStore): KeyStore => {
      async function meddle(id: string): Promise<void> {
        if (left-- <= 0) return;
        const [newest] = await store.audit({ limit: 1 });
        const record = await store.get(id);
        assert.ok(newest && record);
        await store.replace({ ...record, description: `meddled ${left}`, revision: record.revision + 1 }, newest.entry);
      }
      return {
        ...store,
        async replace(record, entry) {
          await meddle(record.id);
          return store.replace(record, entry);
        },
        async succeed(predecessor, successor, nowMs, entries) {
          await meddle(predecessor.id);
          return store.succeed(predecessor, successor, nowMs, entries);
        },
      };
    };
  }

  it('is decided once more on what the other one made of the key', async (t) => {
    const { service, audited, now } = setUpService(t, meddled(1));
    const { record } = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    const disabled = await service.disable('ingestion', record.id, ALICE);
    assert.deepEqual(disabled, {
      ...record,
      description: 'meddled 0',
      state: 'disabled',
      changedAt: now(),
      revision: 3,
    });
    assert.deepEqual(
      audited.map(({ action }) => action),
      ['created', 'disabled'],
    );
  });

  it('gives a successor the settings that the other one set', async (t) => {
    const { service } = setUpService(t, meddled(1));
    const { record: old } = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    const { record } = await service.rotate('ingestion', old.id, {}, ALICE);
    assert.equal(record.description, 'meddled 0');
  });

  it('is given up when it happens again, with the advice to look', async (t) => {
    const { service } = setUpService(t, meddled(4));
    const { record } = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    const look = failsWith('conflict', /is being changed by somebody else\. Look at it again before you retry\.$/);
    await assert.rejects(service.disable('ingestion', record.id, ALICE), look);
    await assert.rejects(service.rotate('ingestion', record.id, {}, ALICE), look);
    assert.equal((await service.get('ingestion', record.id)).state, 'active');
    assert.equal((await service.list('ingestion', { all: true })).length, 1);
  });
});

describe('the audit log', () => {
  it('has every change with who, from where, and only what changed', async (t) => {
    const { service, audited, now, advance } = setUpService(t);
    const start = now();
    const { record } = await service.create({ kind: 'ingestion', name: 'prod', description: 'x' }, ALICE);
    const { id } = record;
    advance(1);
    await service.disable('ingestion', id, BOB);
    await service.enable('ingestion', id, BOB);
    await service.update('ingestion', id, { description: '', expiresAt: start + 9 }, BOB);
    const { record: next } = await service.rotate('ingestion', id, { graceMs: 2 }, BOB);
    await service.revoke('ingestion', next.id, BOB);

    const key = { kind: 'ingestion', id, name: 'prod' };
    const byBob = { at: start + 1, actor: 'bob', via: 'admin-api', address: '10.0.0.7' };
    const expected = [
      {
        at: start,
        actor: 'alice',
        via: 'gateway',
        ...key,
        action: 'created',
        before: {},
        after: { description: 'x', state: 'active' },
      },
      { ...byBob, ...key, action: 'disabled', before: { state: 'active' }, after: { state: 'disabled' } },
      { ...byBob, ...key, action: 'enabled', before: { state: 'disabled' }, after: { state: 'active' } },
      { ...byBob, ...key, action: 'updated', before: { description: 'x' }, after: { expiresAt: start + 9 } },
      { ...byBob, ...key, action: 'rotated', before: {}, after: { replacedBy: next.id, retireAt: start + 3 } },
      { ...byBob, ...key, id: next.id, action: 'created', before: {}, after: { state: 'active' } },
      { ...byBob, ...key, id: next.id, action: 'revoked', before: { state: 'active' }, after: { state: 'revoked' } },
    ];
    assert.deepEqual(audited, expected);
    assert.deepEqual(
      (await service.audit({ limit: 10 })).map(({ entry }) => entry),
      expected.toReversed(),
    );
  });

  it('has neither the text nor the digest of a key', async (t) => {
    const { service } = setUpService(t);
    const { record, text } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const rotated = await service.rotate('ingestion', record.id, {}, ALICE);
    const log = JSON.stringify(await service.audit({ limit: 10 }));
    for (const secret of [text, rotated.text, record.digest, rotated.record.digest]) {
      assert.ok(!log.includes(secret) && !log.includes(secret.slice(7)), secret);
    }
  });

  it('has nothing of a change that was refused', async (t) => {
    const { service, audited } = setUpService(t);
    await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    await assert.rejects(service.create({ kind: 'ingestion', name: 'prod' }, ALICE));
    await assert.rejects(service.revoke('ingestion', '1', ALICE));
    assert.equal(audited.length, 1);
    assert.equal((await service.audit({ limit: 10 })).length, 1);
  });
});
