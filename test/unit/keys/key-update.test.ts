import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyUpdate } from '../../../src/keys/key-update.ts';
import { failsWith, setUpService } from '../../support/key-service.ts';

const ALICE = { name: 'alice' };

describe('an update of what a key is limited to', () => {
  it('changes what is given, removes what is null, and leaves the rest', async (t) => {
    const { service, audited } = setUpService(t);
    const { record } = await service.create(
      {
        kind: 'ingestion',
        name: 'shop',
        type: 'sensor',
        signals: ['logs'],
        cidrs: ['10.0.0.0/8'],
        limits: { requestsPerSecond: 100, requestBurst: 500, bytesPerSecond: 1_000 },
      },
      ALICE,
    );
    const update = {
      type: 'rum',
      signals: ['traces', 'traces'],
      cidrs: null,
      origins: ['https://shop.example.com'],
      tenant: 'acme',
      tags: ['eu'],
      limits: { requestsPerSecond: 10, requestBurst: null },
    } as const;
    const updated = await service.update('ingestion', record.id, update, ALICE);
    const { type, signals, cidrs, origins, tenant, tags, limits, revision } = updated;
    assert.deepEqual(
      { type, signals, cidrs, origins, tenant, tags, limits, revision },
      {
        type: 'rum',
        signals: ['traces'],
        cidrs: undefined,
        origins: ['https://shop.example.com'],
        tenant: 'acme',
        tags: ['eu'],
        limits: { requestsPerSecond: 10, bytesPerSecond: 1_000 },
        revision: 2,
      },
    );
    const { action, before, after } = audited.at(-1) ?? {};
    assert.deepEqual(
      [action, before, after],
      [
        'updated',
        { type: 'sensor', signals: ['logs'], cidrs: ['10.0.0.0/8'], limits: record.limits },
        { type, signals, origins, tenant, tags, limits },
      ],
    );

    assert.deepEqual(await service.update('ingestion', record.id, update, ALICE), updated);
    const bare = { type: null, signals: null, origins: null, tenant: null, tags: null, limits: null };
    const free = await service.update('ingestion', record.id, bare, ALICE);
    const { changedAt, ...rest } = free;
    assert.ok(changedAt !== undefined);
    const { type: _1, signals: _2, cidrs: _3, limits: _4, ...born } = record;
    assert.deepEqual(rest, { ...born, revision: 3 });
  });

  const FAULTY: readonly (readonly [KeyUpdate<'ingestion'>, RegExp])[] = [
    [{ signals: [] }, /signals must have 1 to 100 entries/],
    [{ cidrs: ['10.1.0.0/8'] }, /write 10\.0\.0\.0\/8/],
    [{ origins: ['shop.example.com'] }, /must be scheme:\/\/host/],
    [{ tenant: ' acme' }, /The tenant must have/],
    [{ tags: [''] }, /The list of tags must have/],
    [{ limits: { requestBurst: 5 } }, /requestBurst needs requestsPerSecond beside it/],
    [{ limits: { bytesPerSecond: 0 } }, /bytesPerSecond must be a whole number/],
  ];
  for (const [update, why] of FAULTY) {
    it(`is refused as a new key with it would be: ${JSON.stringify(update)}`, async (t) => {
      const { service } = setUpService(t);
      const { record } = await service.create({ kind: 'ingestion', name: 'shop' }, ALICE);
      await assert.rejects(service.update('ingestion', record.id, update, ALICE), failsWith('invalid_scope', why));
      assert.deepEqual(await service.get('ingestion', record.id), record);
    });
  }

  it('cannot take away a rate and leave its burst', async (t) => {
    const { service } = setUpService(t);
    const limits = { requestsPerSecond: 1, requestBurst: 5 };
    const { record } = await service.create({ kind: 'ingestion', name: 'shop', limits }, ALICE);
    await assert.rejects(
      service.update('ingestion', record.id, { limits: { requestsPerSecond: null } }, ALICE),
      failsWith('invalid_scope', /requestBurst needs requestsPerSecond/),
    );
  });
});

describe('an update that comes late', () => {
  it('does not call a key back whose name another one was given', async (t) => {
    let between: (() => Promise<unknown>) | undefined;
    const { service, advance, now } = setUpService(t, (store) => ({
      ...store,
      async replace(record, entry) {
        const work = between;
        between = undefined;
        await work?.();
        return store.replace(record, entry);
      },
    }));
    const { record } = await service.create({ kind: 'ingestion', name: 'shop', expiresAt: now() + 10 }, ALICE);
    between = async () => {
      advance(10);
      await service.create({ kind: 'ingestion', name: 'shop' }, ALICE);
    };
    await assert.rejects(
      service.update('ingestion', record.id, { expiresAt: now() + 100 }, ALICE),
      failsWith('wrong_state', /has expired/),
    );
    const living = (await service.list('ingestion')).filter(({ expiresAt }) => (expiresAt ?? Infinity) > now());
    assert.equal(living.length, 1);
  });
});
