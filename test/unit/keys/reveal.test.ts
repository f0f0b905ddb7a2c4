import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSealer } from '../../../src/keys/seal.ts';
import { StoreError } from '../../../src/store/port.ts';
import type { KeyStore } from '../../../src/store/port.ts';
import { DAY_MS, failsWith, setUpService } from '../../support/key-service.ts';

const ACTOR = { name: 'anna', via: 'cli' } as const;
const KEY = { id: '2026', secret: randomBytes(32).toString('base64') };
const sealer = createSealer({ types: ['sensor'], key: KEY, random: randomBytes });

const setUp = (t: TestContext, wrap?: (store: KeyStore) => KeyStore) => setUpService(t, wrap, { sealer });
const SENSOR = { kind: 'ingestion', name: 'agents', type: 'sensor' } as const;

test('a key of a revealable type is given out again, to somebody who is in the audit log', async (t) => {
  const { service, store, audited, now } = setUp(t);
  const { record, text } = await service.create(SENSOR, ACTOR);
  const revealed = await service.reveal(record.id, { name: 'berta', via: 'admin-api', address: '10.0.0.1' });
  assert.equal(revealed.text, text);
  assert.equal(revealed.record.sealed, undefined);
  const [last] = await store.audit({ limit: 1 });
  assert.deepEqual(last?.entry, {
    at: now(),
    actor: 'berta',
    via: 'admin-api',
    address: '10.0.0.1',
    action: 'revealed',
    kind: 'ingestion',
    id: record.id,
    name: 'agents',
    before: {},
    after: {},
  });
  assert.deepEqual(audited.at(-1), last.entry);
  assert.equal((await store.get(record.id))?.revision, 1, 'revealing changes nothing');
});

test('nobody gets a key while the audit log cannot be written', async (t) => {
  const away = new StoreError('unavailable', 'away');
  const { service, audited } = setUp(t, (store) => ({ ...store, note: () => Promise.reject(away) }));
  const { record } = await service.create(SENSOR, ACTOR);
  await assert.rejects(service.reveal(record.id, ACTOR), away);
  assert.deepEqual(
    audited.map(({ action }) => action),
    ['created'],
  );
});

test('no entry of the audit log tells of the sealed copy', async (t) => {
  const { service, store } = setUp(t);
  const { record } = await service.create(SENSOR, ACTOR);
  await service.reveal(record.id, ACTOR);
  await service.rotate('ingestion', record.id, {}, ACTOR);
  await service.revoke('ingestion', record.id, ACTOR);
  const { sealed } = (await store.get(record.id)) ?? {};
  assert.equal(sealed, undefined);
  const log = JSON.stringify(await store.audit({ limit: 100 }));
  assert.ok(record.sealed);
  for (const part of ['sealed', record.sealed.text, record.sealed.nonce, record.digest]) assert.ok(!log.includes(part));
});

test('a successor has a copy of its own text', async (t) => {
  const { service } = setUp(t);
  const first = await service.create(SENSOR, ACTOR);
  const second = await service.rotate('ingestion', first.record.id, {}, ACTOR);
  assert.equal((await service.reveal(first.record.id, ACTOR)).text, first.text);
  assert.equal((await service.reveal(second.record.id, ACTOR)).text, second.text);
});

test('a change keeps the copy; what is dead has none, or none that is given out', async (t) => {
  const { service, store, advance } = setUp(t);
  const { record, text } = await service.create(SENSOR, ACTOR);
  await service.update('ingestion', record.id, { description: 'all agents' }, ACTOR);
  await service.disable('ingestion', record.id, ACTOR);
  assert.equal((await service.reveal(record.id, ACTOR)).text, text);
  await service.enable('ingestion', record.id, ACTOR);
  await service.rotate('ingestion', record.id, { graceMs: 0 }, ACTOR);
  assert.equal((await store.get(record.id))?.sealed, undefined);
  await assert.rejects(service.reveal(record.id, ACTOR), failsWith('wrong_state', /was deleted/));

  const brief = await service.create({ ...SENSOR, name: 'brief', expiresAt: 1_700_000_000_000 + DAY_MS }, ACTOR);
  advance(DAY_MS);
  await assert.rejects(service.reveal(brief.record.id, ACTOR), failsWith('wrong_state', /has expired/));
});

test('what cannot be revealed says why, and to rotate it', async (t) => {
  const { service, store } = setUp(t);
  const others = await Promise.all([
    service.create({ ...SENSOR, name: 'pages', type: 'rum' }, ACTOR),
    service.create({ kind: 'ingestion', name: 'plain' }, ACTOR),
  ]);
  const [rum, plain] = others.map(({ record }) => record.id);
  assert.ok(rum && plain);
  await assert.rejects(service.reveal(rum, ACTOR), failsWith('not_revealable', /rum keys are not among .*: rotate it/));
  await assert.rejects(service.reveal(plain, ACTOR), failsWith('not_revealable', /keys without a type are not among/));

  const { record } = await service.create({ ...SENSOR, name: 'early' }, ACTOR);
  const { sealed: _sealed, ...early } = record;
  const [first] = await store.audit({ limit: 1 });
  assert.ok(first);
  await store.replace({ ...early, revision: 2 }, first.entry);
  await assert.rejects(
    service.reveal(record.id, ACTOR),
    failsWith('not_revealable', /no copy of its text was kept when it was made. Rotate it/),
  );
  const token = await service.create({ kind: 'service', name: 'ops', roles: ['admin'] }, ACTOR);
  await assert.rejects(service.reveal(token.record.id, ACTOR), failsWith('not_found', /no ingestion API key/));
});

test('a missing encryption key is named', async (t) => {
  const { service, store, now } = setUp(t);
  const { record } = await service.create(SENSOR, ACTOR);
  const other = { id: '2027', secret: randomBytes(32).toString('base64') };
  const { service: elsewhere } = setUpService(t, () => store, {
    now,
    sealer: createSealer({ types: ['sensor'], key: other, random: randomBytes }),
  });
  await assert.rejects(
    elsewhere.reveal(record.id, ACTOR),
    failsWith('encryption_key_missing', /sealed with the encryption key "2026", which is not configured here/),
  );
});
