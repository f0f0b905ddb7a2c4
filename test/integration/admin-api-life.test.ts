import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { NOW, startAdmin } from '../support/admin-server.ts';
import type { AdminReply } from '../support/admin-server.ts';

const KEYS = '/api/security/ingestion/api_keys';
const TOKENS = '/api/security/tokens';
const AUDIT = '/api/security/audit';
const DAY_MS = 86_400_000;

type Json = Record<string, unknown>;

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-admin-'));
  const admin = await startAdmin({ path: join(directory, 'keys.db') });
  t.after(async () => {
    await admin.close();
    rmSync(directory, { recursive: true });
  });
  const token = await admin.tokenFor(['admin'], 'root');
  const [{ id: rootId } = { id: '' }] = await admin.service.list('service');
  return {
    admin,
    root: `root (${rootId})`,
    token,
    as: (sender: string) => (method: string, path: string, body?: unknown) =>
      admin.request(method, path, { token: sender, ...(body !== undefined && { body }) }),
    call: (method: string, path: string, body?: unknown) =>
      admin.request(method, path, { token, ...(body !== undefined && { body }) }),
    /** Makes a key and returns its id. */
    async create(name: string, settings: Json = {}): Promise<number> {
      const { json } = await admin.request('POST', KEYS, { token, body: { name, ...settings } });
      return (json as { id: number }).id;
    },
  };
}

/** The status, and what is said of the fault. */
function fault({ status, json }: AdminReply): [number, string, string] {
  const [{ _type: type, message } = { _type: '', message: '' }] = (
    json as { errors: { _type: string; message: string }[] }
  ).errors;
  return [status, type, message];
}

test('a key is rotated: the new one has its settings, the old one says when it ends', async (t) => {
  const { admin, call, create, root } = await setUp(t);
  const id = await create('shop', { description: 'Berlin', expiration: NOW + 30 * DAY_MS });
  admin.setNow(NOW + 1);
  const { status, json } = await call('POST', `${KEYS}/${id}/rotate`, { gracePeriod: 5_000 });
  const { apiKey, id: newId } = json as { apiKey: string; id: number };
  assert.equal(status, 200);
  assert.match(apiKey, /^iapikeyok-[0-9A-Za-z]{38}$/);
  const predecessor = {
    id,
    lastUpdateTimestamp: NOW + 1,
    name: 'shop',
    description: 'Berlin',
    expiration: NOW + 5_001,
    state: 'retiring',
    createdAt: NOW,
    createdBy: root,
    replacedBy: newId,
    retireAt: NOW + 5_001,
  };
  const shown = { id: newId, lastUpdateTimestamp: NOW + 1, name: 'shop', description: 'Berlin' };
  assert.deepEqual(json, { ...shown, apiKey, predecessor });
  assert.deepEqual((await call('GET', `${KEYS}/${id}`)).json, predecessor);
  const { expiration: _end, ...ended } = { ...predecessor, state: 'retired', expiration: NOW + 5_001 };
  admin.setNow(NOW + 5_001);
  assert.deepEqual((await call('GET', `${KEYS}/${id}`)).json, { ...ended, expiration: NOW + 5_001 });
  assert.deepEqual((await call('GET', KEYS)).json, [shown]);
  assert.deepEqual(fault(await call('POST', `${KEYS}/${id}/rotate`, {})), [
    409,
    'WrongState',
    `The ingestion API key ${id} was replaced by ${newId} and no longer works. Use that one.`,
  ]);
});

test('a key is rotated without a grace and with an expiry of its own', async (t) => {
  const { call, create, root } = await setUp(t);
  const id = await create('shop');
  const { json } = await call('POST', `${KEYS}/${id}/rotate`, { gracePeriod: 0, expiration: NOW + 7 });
  const { predecessor, expiration, id: newId } = json as Json;
  assert.equal(expiration, NOW + 7);
  assert.deepEqual(predecessor, {
    id,
    lastUpdateTimestamp: NOW,
    name: 'shop',
    state: 'revoked',
    createdAt: NOW,
    createdBy: root,
    replacedBy: newId,
    revokedAt: NOW,
    revokedBy: root,
  });
});

test('faulty rotations are refused, and change nothing', async (t) => {
  const { call, create } = await setUp(t);
  const id = await create('shop');
  const rotate = (body: unknown) => call('POST', `${KEYS}/${id}/rotate`, body);
  assert.deepEqual(fault(await rotate({ gracePeriod: 'long' })), [
    400,
    'InvalidRequest',
    'gracePeriod: Invalid input: expected number, received string',
  ]);
  assert.deepEqual(fault(await rotate({ gracePeriod: 366 * DAY_MS })), [
    400,
    'InvalidRequest',
    'The grace must be from 0 to 365 days. Choose another one, or delete the old key when it is not needed any more.',
  ]);
  const past = await rotate({ expiration: NOW });
  assert.deepEqual([past.status, (past.json as Json)['_type']], [400, 'IngestionApiKeyInvalidExpiryError']);
  assert.equal((await call('POST', `${KEYS}/1/rotate`, {})).status, 404);
  assert.equal((await call('POST', `${KEYS}/x/rotate`, {})).status, 400);
  assert.equal(((await call('GET', `${KEYS}?all=true`)).json as unknown[]).length, 1);
});

test('a key is disabled, enabled and changed; what is so already is no fault', async (t) => {
  const { admin, call, create } = await setUp(t);
  const id = await create('shop', { description: 'Berlin', expiration: NOW + 5 });
  const stateAfter = async (path: string) => {
    const { status, json } = await call('POST', `${KEYS}/${id}/${path}`);
    return [status, (json as Json)['state']];
  };
  assert.deepEqual(await stateAfter('disable'), [200, 'disabled']);
  assert.deepEqual(await stateAfter('disable'), [200, 'disabled']);
  assert.deepEqual(fault(await call('POST', `${KEYS}/${id}/rotate`, {})), [
    409,
    'WrongState',
    `The ingestion API key ${id} is disabled. Enable it before you rotate it, or create a new one.`,
  ]);
  assert.deepEqual(await stateAfter('enable'), [200, 'active']);
  const patched = await call('PATCH', `${KEYS}/${id}`, { description: '', expiration: null });
  const { description, expiration, state } = patched.json as Json;
  assert.deepEqual([patched.status, description, expiration, state], [200, undefined, undefined, 'active']);
  assert.equal((await call('PATCH', `${KEYS}/${id}`, { expiration: NOW + 9 })).status, 200);
  admin.setNow(NOW + 9);
  assert.deepEqual(fault(await call('PATCH', `${KEYS}/${id}`, { expiration: NOW + 90 })), [
    409,
    'WrongState',
    `The ingestion API key ${id} has expired, which cannot be undone. Create a new one.`,
  ]);
});

test('a list is sorted, filtered, paged, and shows the dead with their details when asked', async (t) => {
  const { call, create } = await setUp(t);
  const beta = await create('shop-b', { expiration: NOW + 5 });
  const alpha = await create('shop-a', { expiration: NOW + 9 });
  const other = await create('other');
  await call('DELETE', `${KEYS}/${other}`);
  const ids = async (query: string) => ((await call('GET', KEYS + query)).json as { id: number }[]).map(({ id }) => id);
  assert.deepEqual(await ids(''), [alpha, beta]);
  assert.deepEqual(await ids('?sort=expiration'), [beta, alpha]);
  assert.deepEqual(await ids('?name=*-b'), [beta]);
  assert.deepEqual(await ids('?limit=1&offset=1'), [beta]);
  assert.deepEqual(await ids('?all=true'), [other, alpha, beta]);
  const [first] = (await call('GET', `${KEYS}?all=true&name=other`)).json as Json[];
  assert.deepEqual([first?.['state'], first?.['revokedAt']], ['revoked', NOW]);
  for (const query of ['?sort=size', '?limit=0', '?limit=ten', '?offset=-1', '?all=yes']) {
    const [status, type] = fault(await call('GET', KEYS + query));
    assert.deepEqual([status, type], [400, 'InvalidRequest'], query);
  }
});

test('a service token is rotated: both open the API until the grace ends', async (t) => {
  const { admin, call, as } = await setUp(t);
  const old = await admin.service.create({ kind: 'service', name: 'ci', roles: ['viewer'] }, { name: 'a test' });
  const { json } = await call('POST', `${TOKENS}/${old.record.id}/rotate`, { gracePeriod: 100 });
  const { token: text } = json as { token: string };
  const open = async (sender: string) => (await as(sender)('GET', KEYS)).status;
  assert.deepEqual([await open(old.text), await open(text)], [200, 200]);
  admin.setNow(NOW + 100);
  assert.deepEqual([await open(old.text), await open(text)], [401, 200]);
});

test('no permission is had by rotating: not without the one to rotate, nor for a token that may do more', async (t) => {
  const { admin, as } = await setUp(t);
  const viewer = await admin.tokenFor(['viewer'], 'viewer');
  const { record } = await admin.service.create({ kind: 'ingestion', name: 'k' }, { name: 'a test' });
  const manager = await admin.tokenFor(['key-manager'], 'manager');
  const { record: root } = await admin.service.create(
    { kind: 'service', name: 'r', roles: ['admin'] },
    { name: 'a test' },
  );
  for (const [method, path, body] of [
    ['POST', `${KEYS}/${record.id}/rotate`, {}],
    ['POST', `${KEYS}/${record.id}/disable`],
    ['POST', `${KEYS}/${record.id}/enable`],
    ['PATCH', `${KEYS}/${record.id}`, {}],
    ['POST', `${TOKENS}/${root.id}/rotate`, {}],
    ['POST', `${TOKENS}/${root.id}/disable`],
    ['GET', AUDIT],
  ] as const) {
    const [status, type, message] = fault(await as(viewer)(method, path, body));
    assert.deepEqual([status, type], [403, 'Forbidden'], path);
    assert.match(message, /^This needs the permission (update|rotate|get)-/);
  }
  assert.equal((await as(manager)('POST', `${KEYS}/${record.id}/rotate`, {})).status, 200);
  assert.equal((await as(manager)('POST', `${TOKENS}/${root.id}/rotate`, {})).status, 403);
  assert.equal((await admin.service.get('service', root.id)).revision, 1);
});

test('the audit log tells who did what from where, page by page, to whoever may read it', async (t) => {
  const { admin, as, call, create, root } = await setUp(t);
  const id = await create('shop');
  await call('POST', `${KEYS}/${id}/disable`);
  const auditor = await admin.tokenFor(['auditor'], 'auditor');
  const all = (await as(auditor)('GET', AUDIT)).json as Json[];
  const entry = {
    timestamp: NOW,
    actor: root,
    via: 'admin-api',
    address: '127.0.0.1',
    what: 'ingestion-api-key',
    id,
    name: 'shop',
  };
  assert.equal(all.length, 4);
  const ofKey = (await as(auditor)('GET', `${AUDIT}?key=${id}`)).json;
  assert.deepEqual(ofKey, [
    { ...entry, cursor: '3', action: 'disabled', before: { state: 'active' }, after: { state: 'disabled' } },
    { ...entry, cursor: '2', action: 'created', before: {}, after: { state: 'active' } },
  ]);
  assert.deepEqual((await as(auditor)('GET', `${AUDIT}?limit=1&before=4`)).json, [all[1]]);
  for (const query of ['?limit=0', '?limit=1001', '?before=x', '?key=x']) {
    assert.equal((await as(auditor)('GET', AUDIT + query)).status, 400, query);
  }
});
