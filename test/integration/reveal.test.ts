import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSealer } from '../../src/keys/seal.ts';
import { startAdmin } from '../support/admin-server.ts';
import { createCliHome } from '../support/run-cli.ts';

const KEYS = '/api/security/ingestion/api_keys';
const SECRET = randomBytes(32).toString('base64');
const KEY = { id: '2026', secret: SECRET };
const sealer = createSealer({ types: ['sensor', 'none'], key: KEY, random: randomBytes });

async function setUpAdmin(t: TestContext) {
  const home = createCliHome();
  t.after(() => home.remove());
  const admin = await startAdmin({ path: home.at('server.db'), sealer });
  t.after(() => admin.close());
  return { home, admin, token: await admin.tokenFor(['admin'], 'root') };
}

test('the admin API reveals a key to whoever has the permission, and to nobody else', async (t) => {
  const { admin, token } = await setUpAdmin(t);
  const made = await admin.request('POST', KEYS, { token, body: { name: 'agents', type: 'sensor' } });
  const { id, apiKey } = made.json as { id: number; apiKey: string };
  const reveal = (as: string, of: number | string = id) => admin.request('POST', `${KEYS}/${of}/reveal`, { token: as });

  const revealed = await reveal(token);
  assert.equal(revealed.status, 200);
  assert.deepEqual(revealed.json, made.json);
  assert.equal(revealed.headers.get('cache-control'), 'no-store');
  const { action, actor, address } = admin.audited.at(-1) ?? {};
  assert.deepEqual([action, actor?.startsWith('root ('), address], ['revealed', true, '127.0.0.1']);

  const noted = admin.audited.length;
  for (const role of ['key-manager', 'viewer', 'auditor', 'validator', 'stackstate-power-user']) {
    const refused = await reveal(await admin.tokenFor([role]));
    assert.equal(refused.status, 403);
    assert.match(refused.text, /needs the permission reveal-ingestion-api-keys/);
    assert.ok(!refused.text.includes(apiKey));
  }
  assert.equal((await reveal(token, 4711)).status, 404);
  assert.equal(admin.audited.slice(noted).filter((entry) => entry.action === 'revealed').length, 0);
});

test('no other answer of the admin API holds a sealed copy', async (t) => {
  const { admin, token } = await setUpAdmin(t);
  const made = await admin.request('POST', KEYS, { token, body: { name: 'agents', type: 'sensor' } });
  const { id } = made.json as { id: number };
  const record = await admin.service.get('ingestion', String(id));
  const { sealed } = record;
  assert.ok(sealed);
  const key = `${KEYS}/${id}`;
  const rotation = { body: { gracePeriod: 1_000 } };
  const answers = [
    made,
    await admin.request('GET', KEYS, { token }),
    await admin.request('GET', `${KEYS}?all=true`, { token }),
    await admin.request('GET', key, { token }),
    await admin.request('POST', `${key}/disable`, { token }),
    await admin.request('POST', `${key}/enable`, { token }),
    await admin.request('PATCH', key, { token, body: { description: 'x' } }),
    await admin.request('POST', `${key}/reveal`, { token }),
    await admin.request('POST', `${key}/rotate`, { token, ...rotation }),
    await admin.request('GET', '/api/security/audit', { token }),
  ];
  for (const { status, text } of answers) {
    assert.equal(status, 200, text);
    for (const part of ['sealed', 'nonce', sealed.text, sealed.nonce, sealed.tag])
      assert.ok(!text.includes(part), text);
  }
  const told = JSON.stringify(admin.audited);
  for (const part of ['sealed', sealed.text, sealed.nonce, sealed.tag]) assert.ok(!told.includes(part));
});

for (const through of ['store', 'admin API'] as const) {
  test(`the command line reveals a key through the ${through}, on the screen or in a file`, async (t) => {
    const { home, admin, token } = await setUpAdmin(t);
    writeFileSync(home.at('secret'), `${SECRET}\n`);
    const env =
      through === 'store'
        ? {
            KEYGATE_KEYS_REVEALABLE_TYPES: 'sensor,none',
            KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_ID: '2026',
            KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_SECRET_FILE: home.at('secret'),
          }
        : { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: token };
    const run = (...args: string[]) => home.run(['ingestion-api-key', ...args], env);
    const { stdout } = await run('create', '--name', 'ci', '-o', 'json');
    const { id, apiKey } = (JSON.parse(stdout) as { 'ingestion-api-key': { id: number; apiKey: string } })[
      'ingestion-api-key'
    ];
    assert.deepEqual(await run('reveal', String(id)), {
      code: 0,
      stdout: `✅ Ingestion API Key revealed: ${apiKey}\n\n`,
      stderr: '',
    });
    const file = home.at('ci.key');
    const written = await run('reveal', '--id', String(id), '--file', file);
    assert.equal(written.stdout, `✅ Ingestion API Key revealed, and written to ${file}\n`);
    assert.equal(readFileSync(file, 'utf8'), apiKey);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal((await run('reveal', String(id), '--file', file)).code, 6);

    const rum = await run('create', '--name', 'pages', '--type', 'rum', '-o', 'json');
    const rumId = /"id": ([0-9]+)/.exec(rum.stdout)?.[1] ?? '';
    const refused = await run('reveal', rumId);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr.replaceAll(/\s+/g, ' '), /rum keys are not among keys\.revealable\.types\..*rotate it/);
    assert.equal((await run('reveal', '4711')).code, 8);
  });
}

test('the command line says which encryption key is missing', async (t) => {
  const home = createCliHome();
  t.after(() => home.remove());
  const types = { KEYGATE_KEYS_REVEALABLE_TYPES: 'none' };
  const encryptionKey = (id: string, secret: string) => ({
    ...types,
    KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_ID: id,
    KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_SECRET: secret,
  });
  const made = await home.run(
    ['ingestion-api-key', 'create', '--name', 'ci', '-o', 'json'],
    encryptionKey('a', SECRET),
  );
  const id = /"id": ([0-9]+)/.exec(made.stdout)?.[1] ?? '';
  const other = encryptionKey('b', randomBytes(32).toString('base64'));
  const missing = await home.run(['ingestion-api-key', 'reveal', id], other);
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /sealed with the encryption key "a", which is not configured here/);

  const none = await home.run(['ingestion-api-key', 'reveal', id], types);
  assert.equal(none.code, 3);
  assert.match(none.stderr, /keys\.revealable\.encryptionKey\s+must be set, because types are named/);
  const wrong = await home.run(['ingestion-api-key', 'reveal', id], encryptionKey('a', 'not-base64-of-32-bytes'));
  assert.equal(wrong.code, 3);
  assert.ok(!wrong.stderr.includes('not-base64'), 'a secret is not repeated');
});
