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

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-admin-'));
  const admin = await startAdmin({ path: join(directory, 'keys.db') });
  t.after(async () => {
    await admin.close();
    rmSync(directory, { recursive: true });
  });
  const as = (token: string) => (method: string, path: string, body?: unknown) =>
    admin.request(method, path, { token, ...(body !== undefined && { body }) });
  return { admin, as, call: as(await admin.tokenFor(['admin'], 'root')) };
}

const idOf = ({ json }: AdminReply): number => (json as { id: number }).id;

function faults({ status, json }: AdminReply): unknown[] {
  return [status, ...(json as { errors: { message: string }[] }).errors.map(({ message }) => message)];
}

for (const [path, what, permission] of [
  ['/api/security/service_ids', 'service-id', 'service-ids'],
  ['/api/security/users', 'user', 'users'],
] as const) {
  test(`a ${what} is made, described, changed, locked and deleted, and says how many keys go with it`, async (t) => {
    const { admin, as, call } = await setUp(t);
    const created = await call('POST', path, { name: 'checkout', description: 'the shop' });
    const id = idOf(created);
    const { createdBy, ...shown } = created.json as { createdBy: string };
    const owner = { id, name: 'checkout', description: 'the shop', roles: ['Sender'], state: 'active', createdAt: NOW };
    assert.deepEqual([created.status, shown], [200, { ...owner, lastUpdateTimestamp: NOW, keys: 0, keysInUse: 0 }]);
    assert.match(createdBy, /^root \([0-9]+\)$/);

    const key = await call('POST', KEYS, { name: 'eu', owner: 'checkout' });
    const kind = what === 'user' ? 'user' : 'serviceId';
    assert.deepEqual((key.json as { owner: unknown }).owner, { id, kind, name: 'checkout' });
    const { apiKey } = key.json as { apiKey: string };
    const maySend = async () => (await call('POST', '/api/security/ingestion/authorize', { apiKey })).status === 204;
    const state = ({ json }: AdminReply) => {
      const { state: now, keys, roles } = json as { state: string; keys: number; roles: string[] };
      return [now, keys, roles];
    };

    assert.deepEqual(state(await call('GET', `${path}/${id}`)), ['active', 1, ['Sender']]);
    assert.equal(await maySend(), true);
    assert.deepEqual(state(await call('PATCH', `${path}/${id}`, { roles: [] })), ['active', 1, []]);
    assert.equal(await maySend(), false);
    await call('PATCH', `${path}/${id}`, { roles: ['Sender'], description: '' });
    assert.deepEqual(state(await call('POST', `${path}/${id}/lock`)), ['locked', 1, ['Sender']]);
    assert.equal(await maySend(), false);
    assert.deepEqual(state(await call('POST', `${path}/${id}/unlock`)), ['active', 1, ['Sender']]);
    assert.equal(await maySend(), true);
    assert.deepEqual(state(await call('DELETE', `${path}/${id}`)), ['deleted', 1, ['Sender']]);
    assert.equal(await maySend(), false);
    assert.deepEqual((await call('GET', path)).json, []);
    assert.equal(((await call('GET', `${path}?all=true`)).json as unknown[]).length, 1);
    assert.equal((await call('DELETE', `${path}/${id}`)).status, 404);
    assert.equal((await call('POST', `${path}/${id}/unlock`)).status, 409);

    const { json: log } = await call('GET', `/api/security/audit?key=${id}`);
    assert.deepEqual(
      (log as { what: string; action: string }[]).map((entry) => `${entry.what} ${entry.action}`),
      ['revoked', 'unlocked', 'locked', 'updated', 'updated', 'created'].map((action) => `${what} ${action}`),
    );

    const viewer = as(await admin.tokenFor(['viewer']));
    assert.equal((await viewer('GET', `${path}/${id}`)).status, 200);
    for (const [method, at, verb] of [
      ['POST', path, 'create'],
      ['PATCH', `${path}/${id}`, 'update'],
      ['POST', `${path}/${id}/lock`, 'update'],
      ['POST', `${path}/${id}/unlock`, 'update'],
      ['DELETE', `${path}/${id}`, 'delete'],
    ] as const) {
      const [status, message] = faults(await viewer(method, at, {}));
      assert.equal(status, 403);
      assert.match(String(message), new RegExp(`This needs the permission ${verb}-${permission},`));
    }
  });
}

test('a token for somebody needs somebody, and dies with them', async (t) => {
  const { admin, as, call } = await setUp(t);
  const body = { name: 'ci', roles: ['viewer'], dedicatedSubject: 'alice' };
  const [status, message] = faults(await call('POST', TOKENS, body));
  assert.equal(status, 400);
  assert.match(String(message), /no service id or user with the name or id "alice"\. Create it first/);
  const user = idOf(await call('POST', '/api/security/users', { name: 'alice', roles: [] }));
  const made = await call('POST', TOKENS, body);
  const { token, dedicatedSubject } = made.json as { token: string; dedicatedSubject: string };
  assert.equal(dedicatedSubject, 'alice');
  assert.equal((await as(token)('GET', KEYS)).status, 200);
  await call('POST', `/api/security/users/${user}/lock`);
  assert.deepEqual(faults(await as(token)('GET', KEYS)), [
    401,
    'The owner of the key is locked or was deleted. Ask the operator of this gateway to unlock it, or use a key of another owner.',
  ]);
  await admin.service.revoke('user', String(user), { name: 'a test' });
  assert.equal((await as(token)('GET', KEYS)).status, 401);
});

test('a mistyped field makes nothing and changes nothing, and the one that was meant is named', async (t) => {
  const { call } = await setUp(t);
  const cases = [
    ['POST', KEYS, { name: 'k', signalz: ['logs'] }, '"signalz": there is no such field; was signals meant?'],
    [
      'POST',
      KEYS,
      { name: 'k', limits: { requestPerSecond: 1 } },
      'limits."requestPerSecond": there is no such field; was requestsPerSecond meant?',
    ],
    [
      'POST',
      TOKENS,
      { name: 'k', roles: ['viewer'], expiryDat: 5 },
      '"expiryDat": there is no such field; was expiryDate meant?',
    ],
    ['POST', '/api/security/users', { name: 'k', role: [] }, '"role": there is no such field; was roles meant?'],
    [
      'POST',
      '/api/security/users',
      { name: 'k', colour: 1 },
      '"colour": there is no such field; the fields are name, description, roles',
    ],
  ] as const;
  for (const [method, path, body, message] of cases) {
    assert.deepEqual(faults(await call(method, path, body)), [400, message]);
  }
  assert.deepEqual((await call('GET', KEYS)).json, []);
  const id = idOf(await call('POST', KEYS, { name: 'k', description: 'd', expiration: NOW + 5 }));
  assert.deepEqual(faults(await call('PATCH', `${KEYS}/${id}`, { limits: { byteBursts: 5 } })), [
    400,
    'limits."byteBursts": there is no such field; was byteBurst meant?',
  ]);
});

test('limits of a key are changed and removed, and a token gets another expiry from whoever may do as much', async (t) => {
  const { admin, as, call } = await setUp(t);
  const limits = { requestsPerSecond: 5, bytesPerSecond: 7 };
  const id = idOf(await call('POST', KEYS, { name: 'k', signals: ['logs'], limits }));
  const body = { signals: null, tenant: 'acme', limits: { bytesPerSecond: null } };
  const { status, json } = await call('PATCH', `${KEYS}/${id}`, body);
  const { signals, tenant, limits: now } = json as { signals?: unknown; tenant: string; limits: unknown };
  assert.deepEqual([status, signals, tenant, now], [200, undefined, 'acme', { requestsPerSecond: 5 }]);

  const token = idOf(await call('POST', TOKENS, { name: 't', roles: ['admin'] }));
  const changed = await call('PATCH', `${TOKENS}/${token}`, { expiryDate: NOW + 9 });
  assert.deepEqual([changed.status, (changed.json as { expiration: number }).expiration], [200, NOW + 9]);
  assert.deepEqual((await call('PATCH', `${TOKENS}/${token}`, { expiryDate: 1 })).json, {
    _type: 'ServiceTokenInvalidExpiryError',
    message: 'The expiration must be a time in the future. Choose a later date.',
  });
  assert.equal((await call('PATCH', `${TOKENS}/${token}`, { roles: ['viewer'] })).status, 400);
  const lesser = as(await admin.tokenFor(['viewer']));
  assert.equal((await lesser('PATCH', `${TOKENS}/${token}`, { expiryDate: null })).status, 403);
});
