import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fromOwnPage, sendAs, SESSION, signIn } from '../support/browser-request.ts';
import { startAdmin } from '../support/admin-server.ts';

/** Exploits of what is particular to a session: the browser sends the cookie, whoever made it send the request. */

const KEYS = '/api/security/ingestion/api_keys';

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-forgery-'));
  const admin = await startAdmin({ path: join(directory, 'keys.db') });
  t.after(async () => {
    await admin.close();
    rmSync(directory, { recursive: true });
  });
  const token = await admin.tokenFor(['admin'], 'root');
  const { record } = await admin.service.create({ kind: 'ingestion', name: 'shop' }, { name: 'a test' });
  const { cookie } = await signIn(admin.url, token);
  return { admin, token, cookie, id: record.id };
}

test('no page of another origin can revoke a key in the name of who is signed in', async (t) => {
  const { admin, cookie, id } = await setUp(t);
  const { host } = new URL(admin.url);
  const attacks: Record<string, string>[] = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }, // SameSite lets this one through
    { origin: 'http://127.0.0.1:3000' }, // an old browser
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'null' }, // a sandboxed frame
    { origin: `https://${host}` },
    {}, // no browser that is known
  ];
  for (const headers of attacks) {
    const reply = await sendAs(admin.url, {
      method: 'DELETE',
      path: `${KEYS}/${id}?force=true`,
      headers: { ...headers, cookie },
    });
    assert.equal(reply.status, 403, JSON.stringify(headers));
    assert.match(reply.text, /not sent by a page of this console/);
  }
  assert.equal((await admin.service.get('ingestion', id)).state, 'active');
  const own = { ...fromOwnPage(admin.url), cookie };
  assert.equal((await sendAs(admin.url, { method: 'DELETE', path: `${KEYS}/${id}`, headers: own })).status, 204);
});

test('a form of another page cannot make a key: what it can send is no JSON of our page', async (t) => {
  const { admin, cookie } = await setUp(t);
  const form = { 'content-type': 'text/plain', cookie };
  const other = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  const body = { name: 'evil' };
  const asForm = await sendAs(admin.url, { method: 'POST', path: KEYS, headers: { ...form, ...other }, body });
  assert.equal(asForm.status, 403);
  const asOwnForm = await sendAs(admin.url, {
    method: 'POST',
    path: KEYS,
    headers: { ...form, ...fromOwnPage(admin.url) },
    body,
  });
  assert.equal(asOwnForm.status, 415);
  assert.deepEqual(
    (await admin.service.list('ingestion')).map(({ name }) => name),
    ['shop'],
  );
});

test('another page can neither read, nor sign somebody in or out', async (t) => {
  const { admin, token, cookie } = await setUp(t);
  const other = { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site', cookie };
  const send = async (method: string, path: string, body?: unknown) =>
    (await sendAs(admin.url, { method, path, headers: other, body })).status;
  assert.deepEqual(
    [
      await send('GET', KEYS),
      await send('GET', SESSION),
      await send('POST', SESSION, { token }),
      await send('DELETE', SESSION),
    ],
    [403, 403, 403, 403],
  );
  assert.equal(
    (await sendAs(admin.url, { path: SESSION, headers: { ...fromOwnPage(admin.url), cookie } })).status,
    200,
  );
  const preflight = await sendAs(admin.url, {
    method: 'OPTIONS',
    path: KEYS,
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST', cookie },
  });
  assert.equal(preflight.headers['access-control-allow-origin'], undefined);
});

test('a name of another site that leads here (DNS rebinding) has no session and no pages', async (t) => {
  const { admin, token, cookie } = await setUp(t);
  const { port } = new URL(admin.url);
  for (const name of [
    'evil.example',
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
  ]) {
    // To the browser this is one origin, so it says "same-origin" of it.
    const headers = { host: name, origin: `http://${name}`, 'sec-fetch-site': 'same-origin', cookie };
    const send = async (method: string, path: string, body?: unknown) =>
      (await sendAs(admin.url, { method, path, headers, body })).status;
    assert.deepEqual(
      [
        await send('GET', KEYS),
        await send('GET', SESSION),
        await send('POST', SESSION, { token }),
        await send('GET', '/console/'),
      ],
      [421, 421, 421, 421],
      name,
    );
  }
});

test('a token that is sent counts, whatever cookie comes with it', async (t) => {
  const { admin, cookie } = await setUp(t);
  const guest = await admin.tokenFor(['stackstate-guest'], 'guest');
  const headers = { ...fromOwnPage(admin.url), cookie, 'x-api-key': guest };
  assert.equal((await sendAs(admin.url, { path: KEYS, headers })).status, 403);
});

test('the token is nowhere in what signing in leaves behind', async (t) => {
  const { admin, token } = await setUp(t);
  const { reply, cookie } = await signIn(admin.url, token);
  const secret = token.slice('svctok-'.length);
  assert.ok(!JSON.stringify([reply, cookie, admin.signIns, admin.requests]).includes(secret));
});
