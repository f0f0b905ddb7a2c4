import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { permissionsOf } from '../../src/admin/roles.ts';
import { IDLE_MS } from '../../src/console/sessions.ts';
import { fromOwnPage, sendAs, SESSION, signIn } from '../support/browser-request.ts';
import type { RawReply } from '../support/browser-request.ts';
import { NOW, startAdmin, STATE } from '../support/admin-server.ts';
import type { TestAdminOptions } from '../support/admin-server.ts';
import { StoreError } from '../../src/store/port.ts';

const KEYS = '/api/security/ingestion/api_keys';

async function setUp(t: TestContext, options: Partial<TestAdminOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-console-'));
  const admin = await startAdmin({ path: join(directory, 'keys.db'), ...options });
  t.after(async () => {
    await admin.close();
    rmSync(directory, { recursive: true });
  });
  const own = fromOwnPage(admin.url);
  return {
    admin,
    ask: (cookie: string, path: string, method = 'GET', body?: unknown, headers = {}): Promise<RawReply> =>
      sendAs(admin.url, { method, path, headers: { ...own, cookie, ...headers }, body }),
  };
}

const messageOf = ({ text }: RawReply): string =>
  (JSON.parse(text) as { errors: { message: string }[] }).errors[0]?.message ?? '';

test('a token is exchanged for a session, which may do what the token may and is told what that is', async (t) => {
  const { admin, ask } = await setUp(t);
  const { reply, cookie } = await signIn(admin.url, await admin.tokenFor(['viewer'], 'eve'));
  assert.equal(reply.status, 200);
  assert.match(
    reply.headers['set-cookie']?.[0] ?? '',
    /^keygate-session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(reply.headers['cache-control'], 'no-store');
  const who = JSON.parse(reply.text) as { name: string; roles: string[]; permissions: string[] };
  assert.deepEqual([who.name, who.roles, who.permissions], ['eve', ['viewer'], [...permissionsOf(['viewer'])]]);
  assert.ok(!reply.text.includes('svctok-'));

  assert.deepEqual(JSON.parse((await ask(cookie, SESSION)).text), JSON.parse(reply.text));
  assert.equal((await ask(cookie, KEYS)).status, 200);
  assert.equal((await ask(cookie, KEYS, 'POST', { name: 'x' })).status, 403);
  assert.equal((await ask('', KEYS)).status, 401);
  assert.deepEqual(
    admin.signIns.map(({ outcome, caller }) => [outcome, caller?.replace(/\(.*/, '')]),
    [['signed in', 'eve ']],
  );
});

test('what a session changes is in the audit log under the name of its token', async (t) => {
  const { admin, ask } = await setUp(t);
  const { cookie } = await signIn(admin.url, await admin.tokenFor(['admin'], 'root'));
  assert.equal((await ask(cookie, KEYS, 'POST', { name: 'shop' })).status, 200);
  const { actor, via, action } = admin.audited.at(-1) ?? {};
  assert.match(`${actor} ${via} ${action}`, /^root \([0-9]+\) admin-api created$/);
});

test('signing out ends the session and takes the cookie away', async (t) => {
  const { admin, ask } = await setUp(t);
  const { cookie } = await signIn(admin.url, await admin.tokenFor(['viewer']));
  const out = await ask(cookie, SESSION, 'DELETE');
  assert.deepEqual(
    [out.status, out.headers['set-cookie']?.[0]],
    [204, 'keygate-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict'],
  );
  assert.deepEqual([(await ask(cookie, SESSION)).status, (await ask(cookie, KEYS)).status], [401, 401]);
});

test('signing in anew ends the session that there was', async (t) => {
  const { admin, ask } = await setUp(t);
  const token = await admin.tokenFor(['viewer']);
  const { cookie } = await signIn(admin.url, token);
  assert.equal((await ask(cookie, SESSION, 'POST', { token })).status, 200);
  assert.equal((await ask(cookie, SESSION)).status, 401);
});

test('an idle session ends; polls do not keep it, and use does', async (t) => {
  const { admin, ask } = await setUp(t);
  const { cookie } = await signIn(admin.url, await admin.tokenFor(['viewer']));
  const poll = { 'x-keygate-poll': '1' };
  admin.setNow(NOW + IDLE_MS - 1);
  assert.equal((await ask(cookie, KEYS)).status, 200);
  admin.setNow(NOW + 2 * IDLE_MS - 2);
  assert.equal((await ask(cookie, '/api/traffic', 'GET', undefined, poll)).status, 200);
  admin.setNow(NOW + 2 * IDLE_MS);
  assert.equal((await ask(cookie, '/api/traffic', 'GET', undefined, poll)).status, 401);
});

test('a session ends with its token, at once', async (t) => {
  const { admin, ask } = await setUp(t);
  const { cookie } = await signIn(admin.url, await admin.tokenFor(['viewer'], 'eve'));
  const [{ id } = { id: '' }] = await admin.service.list('service');
  await admin.service.disable('service', id, { name: 'a test' });
  assert.deepEqual([(await ask(cookie, KEYS)).status, (await ask(cookie, SESSION)).status], [401, 401]);
  await admin.service.enable('service', id, { name: 'a test' });
  assert.equal((await ask(cookie, KEYS)).status, 200);
});

test('what is no good token is refused with what to do, and nothing is set', async (t) => {
  const { admin } = await setUp(t);
  const { text } = await admin.service.create({ kind: 'ingestion', name: 'shop' }, { name: 'a test' });
  const token = await admin.tokenFor(['viewer']);
  const cases: [token: string, status: number, said: RegExp][] = [
    ['', 401, /Paste a service token/],
    ['two words', 401, /Paste a service token/],
    [`${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`, 401, /mistyped or cut short/],
    ['nobody-knows-this-one', 401, /not known here/],
    [text, 403, /no service token/],
  ];
  for (const [wrong, status, said] of cases) {
    const { reply, cookie } = await signIn(admin.url, wrong);
    assert.deepEqual([reply.status, cookie], [status, ''], wrong);
    assert.match(messageOf(reply), said);
  }
  const { reply } = await signIn(admin.url, ` ${token}\n`);
  assert.equal(reply.status, 200, 'a token with the line end that came with it');
});

test('who fails again and again has to wait, and the right token after that is taken', async (t) => {
  const { admin } = await setUp(t);
  for (let i = 0; i < 10; i++) assert.equal((await signIn(admin.url, `svctok-wrong-${i}`)).reply.status, 401);
  const token = await admin.tokenFor(['viewer']);
  const { reply } = await signIn(admin.url, token);
  assert.deepEqual([reply.status, reply.headers['retry-after']], [429, '30']);
  assert.equal(admin.signIns.at(-1)?.outcome, 'too many');
  admin.setNow(NOW + 30_000);
  assert.equal((await signIn(admin.url, token)).reply.status, 200);
});

test('while the store is away nobody is told that the token is wrong, and it costs no attempt', async (t) => {
  let isAway = false;
  const { admin } = await setUp(t, {
    wrapStore: (store) => ({
      ...store,
      find: (digests) => (isAway ? Promise.reject(new StoreError('unavailable', 'away')) : store.find(digests)),
    }),
  });
  const token = await admin.tokenFor(['viewer']);
  isAway = true;
  for (let i = 0; i < 12; i++) assert.equal((await signIn(admin.url, token)).reply.status, 503);
  isAway = false;
  assert.equal((await signIn(admin.url, token)).reply.status, 200);
});

test('behind TLS the cookie is Secure and cannot be set by others', async (t) => {
  const publicUrl = 'https://keygate.example.com';
  const { admin } = await setUp(t, { publicUrl });
  const token = await admin.tokenFor(['viewer']);
  const headers = { host: 'keygate.example.com', origin: publicUrl, 'sec-fetch-site': 'same-origin' };
  const reply = await sendAs(admin.url, { method: 'POST', path: SESSION, headers, body: { token } });
  const set = reply.headers['set-cookie']?.[0] ?? '';
  assert.match(set, /^__Host-keygate-session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  const [cookie = ''] = set.split(';', 1);
  const ask = (sent: string) => sendAs(admin.url, { path: KEYS, headers: { ...headers, cookie: sent } });
  assert.deepEqual([(await ask(cookie)).status, (await ask(cookie.replace('__Host-', ''))).status], [200, 401]);
});

test('pages are served with a policy that allows nothing foreign, and are asked for anew', async (t) => {
  const { admin } = await setUp(t);
  const page = await sendAs(admin.url, { path: '/console/' });
  const policy = String(page.headers['content-security-policy']);
  assert.equal(page.status, 200);
  assert.deepEqual(
    policy.split('; ').filter((rule) => !rule.endsWith("'self'")),
    [
      "default-src 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ],
  );
  assert.doesNotMatch(policy, /unsafe|\*|https?:|data:/);
  assert.deepEqual(
    ['x-content-type-options', 'cache-control', 'referrer-policy'].map((name) => page.headers[name]),
    ['nosniff', 'no-cache', 'no-referrer'],
  );
  const etag = page.headers.etag ?? '';
  assert.equal((await sendAs(admin.url, { path: '/console/', headers: { 'if-none-match': etag } })).status, 304);
  const statuses = await Promise.all(
    [
      '/',
      '/console',
      '/console/main.js',
      '/console/nothing.js',
      '/console/../package.json',
      '/console/%2e%2e/x',
      '/console/tsconfig.json',
    ].map(async (path) => (await sendAs(admin.url, { path })).status),
  );
  assert.deepEqual(statuses, [302, 302, 200, 404, 404, 404, 404]);
  const script = await sendAs(admin.url, { path: '/console/main.js' });
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal((await sendAs(admin.url, { method: 'POST', path: '/console/' })).status, 405);
});

test('the overview tells the state of the gateway and who shares its store, to those who may see the traffic', async (t) => {
  const { admin } = await setUp(t);
  const get = async (role: string) => admin.request('GET', '/api/overview', { token: await admin.tokenFor([role]) });
  const { status, json } = await get('viewer');
  assert.equal(status, 200);
  assert.deepEqual(json, { ...STATE, gateway: 'gateway-1', version: '1.2.3', at: NOW, replicas: [] });
  assert.equal((await get('auditor')).status, 403);
});
