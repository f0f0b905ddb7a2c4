import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOwned } from '../../../src/keys/owned-keys.ts';
import { DAY_MS, failsWith, setUpService } from '../../support/key-service.ts';
import { asOwner } from '../../support/stores.ts';

const ALICE = { name: 'alice' };

describe('owners of keys', () => {
  it('may send unless it is said otherwise, and are told of in the audit log', async (t) => {
    const { service, audited, now } = setUpService(t);
    const owner = await service.createOwner({ kind: 'serviceId', name: 'checkout', description: 'the shop' }, ALICE);
    assert.deepEqual(owner, {
      id: owner.id,
      kind: 'serviceId',
      name: 'checkout',
      description: 'the shop',
      digest: `owner:${owner.id}`,
      roles: ['Sender'],
      state: 'active',
      createdAt: now(),
      createdBy: 'alice',
      revision: 1,
    });
    await service.disable('serviceId', owner.id, ALICE);
    await service.disable('serviceId', owner.id, ALICE);
    await service.enable('serviceId', owner.id, ALICE);
    await service.update('serviceId', owner.id, { roles: [], description: '' }, ALICE);
    await service.revoke('serviceId', owner.id, ALICE);
    assert.deepEqual(
      audited.map(({ action, before, after }) => [action, before, after]),
      [
        ['created', {}, { description: 'the shop', roles: ['Sender'], state: 'active' }],
        ['locked', { state: 'active' }, { state: 'disabled' }],
        ['unlocked', { state: 'disabled' }, { state: 'active' }],
        ['updated', { description: 'the shop', roles: ['Sender'] }, { roles: [] }],
        ['revoked', { state: 'active' }, { state: 'revoked' }],
      ],
    );
  });

  it('have a name that is no number, once in each kind, and the one role that there is', async (t) => {
    const { service } = setUpService(t);
    const create = (name: string, roles?: string[]) => service.createOwner({ kind: 'user', name, roles }, ALICE);
    await create('bob');
    await service.createOwner({ kind: 'serviceId', name: 'bob' }, ALICE);
    await assert.rejects(create('bob'), failsWith('name_taken', /live user named "bob"/));
    await assert.rejects(create('42'), failsWith('invalid_name', /must not be a number/));
    await assert.rejects(create(' '), failsWith('invalid_name', /1 to 100 characters/));
    await assert.rejects(create('eve', ['sender']), failsWith('invalid_roles', /no role "sender": it may have Sender/));
  });

  it('are found by name or id, and a key has only one that lives and is meant', async (t) => {
    const { service } = setUpService(t);
    const user = await service.createOwner({ kind: 'user', name: 'bob' }, ALICE);
    const gone = await service.createOwner({ kind: 'user', name: 'eve' }, ALICE);
    await service.revoke('user', gone.id, ALICE);
    let keys = 0;
    const owned = (owner: string) => service.create({ kind: 'ingestion', name: `key ${++keys}`, owner }, ALICE);
    const { record } = await owned('bob');
    assert.deepEqual(record.owner, asOwner(user));
    assert.deepEqual((await owned(user.id)).record.owner, asOwner(user));
    const notThere = failsWith('invalid_owner', /There is no service id or user with the name or id .*Create it first/);
    for (const nobody of ['alice', 'eve', gone.id, record.id, 'key 1', ''])
      await assert.rejects(owned(nobody), notThere);
    const other = await service.createOwner({ kind: 'serviceId', name: 'bob' }, ALICE);
    const which = failsWith('invalid_owner', new RegExp(`say its id, which is ${other.id} or ${user.id}`));
    await assert.rejects(owned('bob'), which);
  });

  it('know their keys and tokens, but not those that are dead or disabled themselves', async (t) => {
    const { service, store, now, advance } = setUpService(t);
    const { id } = await service.createOwner({ kind: 'user', name: 'bob' }, ALICE);
    const create = async (name: string, expiresAt?: number) =>
      (await service.create({ kind: 'ingestion', name, owner: 'bob', expiresAt }, ALICE)).record.id;
    await service.create({ kind: 'service', name: 'token', roles: ['viewer'], owner: 'bob' }, ALICE);
    await service.create({ kind: 'ingestion', name: 'nobodys' }, ALICE);
    const [kept, disabled, deleted, rotated] = [
      await create('a'),
      await create('b'),
      await create('c'),
      await create('d'),
    ];
    await create('e', 1_700_000_000_001);
    advance(1);
    await service.disable('ingestion', disabled, ALICE);
    await service.revoke('ingestion', deleted, ALICE);
    const { record } = await service.rotate('ingestion', rotated, { graceMs: DAY_MS }, ALICE);
    const names = (await readOwned(store, id, now()))?.map((each) => each.name);
    assert.deepEqual(names?.toSorted(), ['a', 'd', 'd', 'token']);
    assert.deepEqual(await service.ownedBy(id), { keys: 4, inUse: 0 });
    assert.deepEqual(record.owner?.id, id);
    assert.ok(kept);
  });

  it('are not counted where there are too many keys to look through', async (t) => {
    let pages = 0;
    const { service } = setUpService(t, (store) => ({
      ...store,
      page: async () => {
        pages++;
        return { records: [], next: { name: 'more', id: '1' } };
      },
    }));
    const { id } = await service.createOwner({ kind: 'user', name: 'bob' }, ALICE);
    assert.equal(await service.ownedBy(id), undefined);
    assert.equal(pages, 20);
    await assert.rejects(service.revoke('user', id, ALICE), failsWith('in_use', /cannot be told .* Lock it first/));
    await service.disable('user', id, ALICE);
    assert.equal((await service.revoke('user', id, ALICE)).state, 'revoked');
  });

  it('are deleted while their keys are in use only by force, or once they are locked', async (t) => {
    const { service, store, now } = setUpService(t);
    const use = async (owner: string) => {
      const { record } = await service.create({ kind: 'ingestion', name: `of ${owner}`, owner }, ALICE);
      const { id } = record;
      await store.usage.record([{ id, lastUsedAt: now() - 60_000, requests: 1, bytes: 1, sources: [] }]);
    };
    const bob = await service.createOwner({ kind: 'user', name: 'bob' }, ALICE);
    const carl = await service.createOwner({ kind: 'user', name: 'carl' }, ALICE);
    await use('bob');
    await use('carl');
    assert.deepEqual(await service.ownedBy(bob.id), { keys: 1, inUse: 1 });
    for (const { id } of [bob, carl]) {
      const refused = service.revoke('user', id, ALICE);
      await assert.rejects(
        refused,
        failsWith('in_use', /^1 of its 1 keys was used within the last hour\. Lock it first/),
      );
    }
    await service.disable('user', bob.id, ALICE);
    await service.revoke('user', bob.id, ALICE);
    await service.revoke('user', carl.id, ALICE, { force: true });
  });
});
