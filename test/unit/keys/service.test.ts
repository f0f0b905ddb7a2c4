import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDigester } from '../../../src/credential/digest.ts';
import { createKeyText } from '../../../src/credential/key-text.ts';
import type { Random } from '../../../src/credential/key-text.ts';
import type { NewKey } from '../../../src/keys/new-key.ts';
import type { KeyServiceFault } from '../../../src/keys/service-error.ts';
import { createKeyService } from '../../../src/keys/service.ts';
import { StoreError } from '../../../src/store/port.ts';
import { createSqliteStore } from '../../../src/store/sqlite/store.ts';
import { failsWith } from '../../support/key-service.ts';

const DAY = 86_400_000;
const ALICE = { name: 'alice' };
const digester = createDigester({});

/** A service on a store of its own; its clock and its randomness are what the test says. */
function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-service-'));
  const store = createSqliteStore({ path: join(directory, 'keygate.db') });
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  let nowMs = 1_700_000_000_000;
  let byte = 0;
  const draw: { random: Random } = { random: (size) => Buffer.alloc(size, ++byte) };
  const service = createKeyService({
    store,
    digester,
    now: () => nowMs,
    random: (size) => draw.random(size),
    tombstoneMs: 30 * DAY,
  });
  return { service, store, draw, now: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
}

describe('the key service', () => {
  it('creates a key: the record goes to the store, the text only to the caller', async (t) => {
    const { service, store, now } = setUp(t);
    const { record, text } = await service.create(
      { kind: 'ingestion', name: 'prod', description: 'Berlin', expiresAt: now() + 1, tenant: 'acme' },
      ALICE,
    );
    assert.equal(
      text,
      createKeyText('ingestion', (size) => Buffer.alloc(size, 1)),
    );
    assert.deepEqual(record, {
      id: String(0x02_02_02_02_02_02),
      kind: 'ingestion',
      name: 'prod',
      description: 'Berlin',
      digest: digester(text).digest,
      tenant: 'acme',
      state: 'active',
      createdAt: now(),
      createdBy: 'alice',
      expiresAt: now() + 1,
      revision: 1,
    });
    assert.deepEqual(await store.find([digester(text).digest]), record);
    assert.doesNotMatch(JSON.stringify(await store.list('ingestion')), new RegExp(text));
  });

  it('creates a service token with roles, each once, and whom it is for', async (t) => {
    const { service } = setUp(t);
    const { id } = await service.createOwner({ kind: 'serviceId', name: 'bot' }, ALICE);
    const { record, text } = await service.create(
      { kind: 'service', name: 'ci', roles: ['admin', 'reader', 'admin'], owner: 'bot' },
      ALICE,
    );
    assert.match(text, /^svctok-/);
    assert.deepEqual(record.roles, ['admin', 'reader']);
    assert.deepEqual(record.owner, { id, kind: 'serviceId', name: 'bot' });
  });

  it('draws again when an id is taken', async (t) => {
    const { service, draw } = setUp(t);
    const bytes = [1, 2, 3, 2, 4, 5];
    draw.random = (size) => Buffer.alloc(size, bytes.shift());
    const first = await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    const second = await service.create({ kind: 'ingestion', name: 'b' }, ALICE);
    assert.equal(first.record.id, String(0x02_02_02_02_02_02));
    assert.equal(second.record.id, String(0x05_05_05_05_05_05));
  });

  it('gives up when no free id comes', async (t) => {
    const { service, draw } = setUp(t);
    draw.random = (size) => Buffer.alloc(size, 7);
    await service.create({ kind: 'ingestion', name: 'a' }, ALICE);
    await assert.rejects(service.create({ kind: 'ingestion', name: 'b' }, ALICE), failsWith('conflict', /Try again/));
  });

  it('refuses a name that a live key has, and gives it again once that one is revoked', async (t) => {
    const { service } = setUp(t);
    const key: NewKey = { kind: 'ingestion', name: 'prod' };
    const { record } = await service.create(key, ALICE);
    await assert.rejects(
      service.create(key, ALICE),
      failsWith('name_taken', /already is a live ingestion API key named "prod"\. Choose another name/),
    );
    await service.create({ kind: 'service', name: 'prod', roles: ['admin'] }, ALICE);
    await service.revoke('ingestion', record.id, ALICE);
    await service.create(key, ALICE);
  });

  it('refuses what is not valid, and says what is', async (t) => {
    const { service, store, now } = setUp(t);
    const ingestion = { kind: 'ingestion', name: 'prod' } as const;
    const cases: [NewKey, KeyServiceFault][] = [
      [{ ...ingestion, name: '' }, 'invalid_name'],
      [{ ...ingestion, name: ' prod' }, 'invalid_name'],
      [{ ...ingestion, name: 'prod\n' }, 'invalid_name'],
      [{ ...ingestion, name: 'a\u0000b' }, 'invalid_name'],
      [{ ...ingestion, name: 'a\ud800b' }, 'invalid_name'],
      [{ ...ingestion, name: 'a'.repeat(101) }, 'invalid_name'],
      [{ ...ingestion, description: 'a'.repeat(1_001) }, 'invalid_description'],
      [{ ...ingestion, description: 'a\u001b[31m' }, 'invalid_description'],
      [{ ...ingestion, expiresAt: now() }, 'invalid_expiry'],
      [{ ...ingestion, expiresAt: Number.NaN }, 'invalid_expiry'],
      [{ ...ingestion, roles: ['admin'] }, 'invalid_roles'],
      [{ kind: 'service', name: 'ci' }, 'invalid_roles'],
      [{ kind: 'service', name: 'ci', roles: [] }, 'invalid_roles'],
      [{ kind: 'service', name: 'ci', roles: ['two words'] }, 'invalid_roles'],
    ];
    for (const [key, code] of cases) {
      await assert.rejects(service.create(key, ALICE), failsWith(code, /\.$/), JSON.stringify(key));
    }
    assert.deepEqual(await store.list('ingestion'), []);
    await service.create({ ...ingestion, name: 'ö'.repeat(100), description: '€'.repeat(1_000) }, ALICE);
  });

  it('lists the keys of a kind that are not revoked, by name', async (t) => {
    const { service, now, advance } = setUp(t);
    const names = ['b', 'a', 'C', 'ä', 'gone'];
    for (const name of names) await service.create({ kind: 'ingestion', name, expiresAt: now() + 10 }, ALICE);
    await service.create({ kind: 'service', name: 'token', roles: ['admin'] }, ALICE);
    const gone = (await service.list('ingestion')).find((record) => record.name === 'gone');
    await service.revoke('ingestion', gone?.id ?? '', ALICE);
    advance(10);
    assert.deepEqual(
      (await service.list('ingestion')).map((record) => record.name),
      ['C', 'a', 'b', 'ä'],
    );
    assert.deepEqual(
      (await service.list('service')).map((record) => record.name),
      ['token'],
    );
  });

  it('revokes a key once, and says by whom', async (t) => {
    const { service, store, now, advance } = setUp(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    advance(5);
    const revoked = await service.revoke('ingestion', record.id, { name: 'bob' });
    assert.deepEqual(revoked, {
      ...record,
      state: 'revoked',
      changedAt: now(),
      revokedAt: now(),
      revokedBy: 'bob',
      revision: 2,
    });
    assert.deepEqual(await store.find([record.digest]), revoked);
    const again = service.revoke('ingestion', record.id, ALICE);
    await assert.rejects(again, failsWith('not_found', new RegExp(`no ingestion API key with the id ${record.id}`)));
  });

  it('does not revoke a key of another kind, or one that is not there', async (t) => {
    const { service } = setUp(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    await assert.rejects(service.revoke('service', record.id, ALICE), failsWith('not_found', /no service token/));
    await assert.rejects(service.revoke('ingestion', '1', ALICE), failsWith('not_found', /id 1\./));
  });

  it('lets one of two concurrent revocations win', async (t) => {
    const { service } = setUp(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    const both = await Promise.allSettled([1, 2].map(() => service.revoke('ingestion', record.id, ALICE)));
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('forgets tombstones when their time is over', async (t) => {
    const { service, store, advance } = setUp(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'prod' }, ALICE);
    await service.revoke('ingestion', record.id, ALICE);
    advance(30 * DAY);
    assert.equal(await service.prune(), 0);
    advance(1);
    assert.equal(await service.prune(), 1);
    assert.equal(await store.get(record.id), undefined);
  });

  it('passes the faults of the store on', async (t) => {
    const { service, store } = setUp(t);
    await store.close();
    await assert.rejects(service.create({ kind: 'ingestion', name: 'prod' }, ALICE), StoreError);
    await assert.rejects(service.list('ingestion'), StoreError);
    await assert.rejects(service.revoke('ingestion', '1', ALICE), StoreError);
  });
});
