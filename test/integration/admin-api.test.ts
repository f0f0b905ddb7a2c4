import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createKeyText } from '../../src/credential/key-text.ts';
import { roleNames } from '../../src/admin/roles.ts';
import { NOW, RECEIVER_KEY, startAdmin } from '../support/admin-server.ts';
import type { AdminReply, TestAdmin } from '../support/admin-server.ts';

const KEYS = '/api/security/ingestion/api_keys';
const AUTHORIZE = '/api/security/ingestion/authorize';
const TOKENS = '/api/security/tokens';
const DAY_MS = 86_400_000;

const directory = mkdtempSync(join(tmpdir(), 'keygate-admin-'));
let admin: TestAdmin;
let token: string;

before(async () => {
  admin = await startAdmin({ path: join(directory, 'keys.db') });
  token = await admin.tokenFor(['admin'], 'root');
});

after(async () => {
  await admin.close();
  rmSync(directory, { recursive: true });
});

/** The parts of an answer that hold no random name. */
function faults({ status, json }: AdminReply): unknown {
  const { trackingKey, ...body } = json as { trackingKey: string };
  assert.match(trackingKey, /^[0-9a-f-]{36}$/);
  return { status, ...body };
}

function refusal(status: number, type: string, ...messages: string[]): unknown {
  const errors = messages.map((message) => ({ _type: type, message }));
  return { status, _type: 'ErrorsResponse', serverTimestamp: NOW, errors };
}

test('a key is created, listed without its text, and deleted, in the shapes of StackState', async () => {
  const expiration = NOW + DAY_MS;
  const created = await admin.request('POST', KEYS, {
    token,
    body: { name: 'checkout', description: 'the shop', expiration },
  });
  const { id, apiKey } = created.json as { id: number; apiKey: string };
  const shown = { id, lastUpdateTimestamp: NOW, name: 'checkout', expiration, description: 'the shop' };
  assert.equal(created.status, 200);
  assert.ok(Number.isSafeInteger(id));
  assert.match(apiKey, /^iapikeyok-[0-9A-Za-z]{38}$/);
  assert.deepEqual(created.json, { ...shown, apiKey });

  const listed = await admin.request('GET', KEYS, { token });
  assert.deepEqual([listed.status, listed.json], [200, [shown]]);

  const deleted = await admin.request('DELETE', `${KEYS}/${id}`, { token });
  assert.deepEqual([deleted.status, deleted.text], [204, '']);
  assert.deepEqual((await admin.request('GET', KEYS, { token })).json, []);

  const [{ id: rootId } = { id: '' }] = await admin.service.list('service');
  const by = `root (${rootId})`;
  const who = { at: NOW, actor: by, via: 'admin-api', address: '127.0.0.1' };
  const key = { kind: 'ingestion', id: String(id), name: 'checkout' };
  const settings = { description: 'the shop', expiresAt: expiration, state: 'active' };
  assert.deepEqual(admin.audited.slice(1), [
    { ...who, action: 'created', ...key, before: {}, after: settings },
    { ...who, action: 'revoked', ...key, before: { state: 'active' }, after: { state: 'revoked' } },
  ]);
});

test('a service token is created with expiryDate, answered with expiration, and opens the API until it is deleted', async () => {
  const expiryDate = NOW + DAY_MS;
  await admin.service.createOwner({ kind: 'serviceId', name: 'build agents' }, { name: 'a test' });
  const created = await admin.request('POST', TOKENS, {
    token,
    body: { name: 'ci', roles: ['viewer'], expiryDate, dedicatedSubject: 'build agents' },
  });
  const { id, token: made } = created.json as { id: number; token: string };
  const shown = {
    id,
    lastUpdateTimestamp: NOW,
    name: 'ci',
    expiration: expiryDate,
    roles: ['viewer'],
    dedicatedSubject: 'build agents',
  };
  assert.equal(created.status, 200);
  assert.match(made, /^svctok-[0-9A-Za-z]{38}$/);
  assert.deepEqual(created.json, { ...shown, token: made });

  const listed = await admin.request('GET', TOKENS, { token: made });
  const own = (listed.json as { name: string }[]).find(({ name }) => name === 'ci');
  assert.deepEqual([listed.status, own], [200, shown]);

  assert.equal((await admin.request('DELETE', `${TOKENS}/${id}`, { token })).status, 204);
  const late = await admin.request('GET', TOKENS, { token: made });
  assert.deepEqual(
    faults(late),
    refusal(401, 'Unauthorized', 'The key was revoked. Create a new one and update the sender.'),
  );
});

test('the token may come as ApiKey, as Bearer, or in X-API-Key', async () => {
  const carriers = [{ authorization: `ApiKey ${token}` }, { authorization: `Bearer ${token}` }, { 'x-api-key': token }];
  for (const headers of carriers) {
    assert.equal((await admin.request('GET', '/api/server/info', { headers })).status, 200);
  }
});

test('whoever sends no token, an unknown one or an expired one hears 401 and how to send one', async () => {
  const none = await admin.request('GET', KEYS);
  assert.equal(none.headers.get('www-authenticate'), 'ApiKey realm="keygate", Bearer realm="keygate"');
  assert.deepEqual(
    faults(none),
    refusal(
      401,
      'Unauthorized',
      'No service token was sent. Send it as "Authorization: ApiKey <token>" or in the header X-API-Key.',
    ),
  );
  const unknown = await admin.request('GET', KEYS, { token: createKeyText('service') });
  assert.equal(unknown.status, 401);

  const { text } = await admin.service.create(
    { kind: 'service', name: 'short', roles: ['admin'], expiresAt: NOW + 1 },
    { name: 'a test' },
  );
  assert.equal((await admin.request('GET', KEYS, { token: text })).status, 200);
  admin.setNow(NOW + 1);
  const expired = await admin.request('GET', KEYS, { token: text });
  admin.setNow(NOW);
  assert.equal(expired.status, 401);
});

test('a valid token without the permission, and a key that is no token, hear 403', async () => {
  const viewer = await admin.tokenFor(['viewer', 'validator'], 'viewer');
  assert.deepEqual(
    faults(await admin.request('POST', KEYS, { token: viewer, body: { name: 'x' } })),
    refusal(
      403,
      'Forbidden',
      'This needs the permission create-ingestion-api-keys, which the roles of this token (viewer, validator) do not give.',
    ),
  );
  assert.deepEqual(
    faults(await admin.request('GET', KEYS, { token: RECEIVER_KEY })),
    refusal(403, 'Forbidden', 'This key is no service token: only those may use this API.'),
  );
});

test('StackState’s roles other than admin manage no keys, but may ask what the server is', async () => {
  const guest = await admin.tokenFor(['stackstate-k8s-troubleshooter'], 'guest');
  assert.equal((await admin.request('GET', KEYS, { token: guest })).status, 403);
  assert.deepEqual((await admin.request('GET', '/api/server/info', { token: guest })).json, {
    version: { major: 1, minor: 2, patch: 3, diff: '', commit: '', isDev: false },
    platformVersion: '1.2.3',
    deploymentMode: 'SelfHosted',
    applicationDomains: ['Observability'],
  });
  assert.deepEqual((await admin.request('GET', '/api/server/status', { token: guest })).json, {
    status: 'OK',
    version: '1.2.3',
  });
});

test('a token cannot be given a role that does not exist, nor more than its maker may do', async () => {
  assert.deepEqual(
    faults(await admin.request('POST', TOKENS, { token, body: { name: 'x', roles: ['admin', 'king'] } })),
    refusal(400, 'InvalidRequest', `unknown role "king": the roles are ${roleNames.join(', ')}`),
  );
  const { text: weak } = await admin.service.create(
    { kind: 'service', name: 'weak', roles: ['stackstate-admin'] },
    { name: 'a test' },
  );
  assert.equal(
    (await admin.request('POST', TOKENS, { token: weak, body: { name: 'peer', roles: ['admin'] } })).status,
    200,
  );
});

test('all faults of a body are named at once', async () => {
  assert.deepEqual(
    faults(await admin.request('POST', KEYS, { token, body: { name: 7, description: false, expiration: 'soon' } })),
    refusal(
      400,
      'InvalidRequest',
      'name: Invalid input: expected string, received number',
      'description: Invalid input: expected string, received boolean',
      'expiration: Invalid input: expected number, received string',
    ),
  );
  assert.deepEqual(
    faults(await admin.request('POST', KEYS, { token, body: '{"name": "iapikeyok' })),
    refusal(400, 'InvalidRequest', 'The body is not valid JSON.'),
  );
});

test('an expiry in the past is refused in the words that StackState’s clients know', async () => {
  const message = 'The expiration must be a time in the future. Choose a later date.';
  const key = await admin.request('POST', KEYS, { token, body: { name: 'late', expiration: NOW } });
  assert.deepEqual([key.status, key.json], [400, { _type: 'IngestionApiKeyInvalidExpiryError', message }]);
  const made = await admin.request('POST', TOKENS, {
    token,
    body: { name: 'late', roles: ['viewer'], expiryDate: NOW },
  });
  assert.deepEqual([made.status, made.json], [400, { _type: 'ServiceTokenInvalidExpiryError', message }]);
});

test('a name that a live key has is 409, and becomes free again when that key is deleted', async () => {
  const first = await admin.request('POST', KEYS, { token, body: { name: 'twin' } });
  assert.deepEqual(
    faults(await admin.request('POST', KEYS, { token, body: { name: 'twin' } })),
    refusal(
      409,
      'NameTaken',
      'There already is a live ingestion API key named "twin". Choose another name, or delete that one first.',
    ),
  );
  await admin.request('DELETE', `${KEYS}/${(first.json as { id: number }).id}`, { token });
  assert.equal((await admin.request('POST', KEYS, { token, body: { name: 'twin' } })).status, 200);
});

test('deleting what is not there is 404, and an id that is no number 400', async () => {
  assert.deepEqual(
    faults(await admin.request('DELETE', `${KEYS}/12345`, { token })),
    refusal(404, 'NotFound', 'There is no ingestion API key with the id 12345. List them to see their ids.'),
  );
  assert.deepEqual(
    faults(await admin.request('DELETE', `${TOKENS}/abc`, { token })),
    refusal(400, 'InvalidRequest', 'id: must be the number that the list shows'),
  );
});

test('authorize says yes or no to a key and nothing else', async () => {
  const ask = async (apiKey: string, query = ''): Promise<[number, string]> => {
    const { status, text } = await admin.request('POST', AUTHORIZE + query, { token, body: { apiKey } });
    return [status, text];
  };
  const { record, text: key } = await admin.service.create(
    { kind: 'ingestion', name: 'asked', expiresAt: NOW + DAY_MS },
    { name: 'a test' },
  );
  assert.deepEqual(await ask(key), [204, '']);
  assert.deepEqual(await ask(createKeyText('ingestion')), [403, '']);
  assert.deepEqual(await ask(`${key}x`), [403, '']);
  assert.deepEqual(await ask(token), [403, '']);
  assert.deepEqual(await ask(RECEIVER_KEY), [403, '']);
  assert.deepEqual(await ask(RECEIVER_KEY, '?withReceiverKey=true'), [204, '']);
  admin.setNow(NOW + DAY_MS);
  assert.deepEqual(await ask(key), [403, '']);
  admin.setNow(NOW);
  await admin.service.revoke('ingestion', record.id, { name: 'a test' });
  assert.deepEqual(await ask(key), [403, '']);
});

test('bodies must be JSON by their type and at most 64 KiB', async () => {
  const asText = await admin.request('POST', KEYS, { token, headers: { 'content-type': 'text/plain' }, body: '{}' });
  assert.equal(asText.status, 415);
  const large = await admin.request('POST', KEYS, { token, body: { name: 'x'.repeat(65_536) } });
  assert.deepEqual(faults(large), refusal(413, 'PayloadTooLarge', 'The body is larger than 65536 bytes.'));
});

test('a body of unknown length is cut off at 64 KiB as well', async () => {
  const { hostname, port } = new URL(admin.url);
  const socket = connect(Number(port), hostname);
  const chunk = `${(16_384).toString(16)}\r\n${'x'.repeat(16_384)}\r\n`;
  socket.write(
    `POST ${KEYS} HTTP/1.1\r\nhost: x\r\nx-api-key: ${token}\r\ncontent-type: application/json\r\n` +
      `transfer-encoding: chunked\r\n\r\n${chunk.repeat(5)}`,
  );
  let answer = '';
  for await (const data of socket) answer += String(data);
  assert.match(answer, /^HTTP\/1\.1 413 /);
});

test('an unknown path is 404, a known one with another method 405 with Allow, without asking for a token', async () => {
  assert.equal((await admin.request('GET', '/api/nothing')).status, 404);
  assert.equal((await admin.request('GET', `${KEYS}/`)).status, 404);
  const wrong = await admin.request('PUT', KEYS);
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, POST']);
});

test('no answer may be kept by a cache', async () => {
  const { headers } = await admin.request('GET', KEYS, { token });
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('content-type'), 'application/json');
});

test('what is observed names route, status and caller, and holds no secret', async () => {
  const before = admin.requests.length;
  const { json } = await admin.request('POST', KEYS, { token, body: { name: 'watched' } });
  await admin.request('DELETE', `${KEYS}/1`, { token });
  const seen = admin.requests.slice(before);
  const [{ caller = '' } = {}] = seen;
  assert.match(caller, /^root \([0-9]+\)$/);
  assert.deepEqual(
    seen.map(({ method, route, status, durationMs }) => ({ method, route, status, durationMs })),
    [
      { method: 'POST', route: KEYS, status: 200, durationMs: 0 },
      { method: 'DELETE', route: `${KEYS}/{id}`, status: 404, durationMs: 0 },
    ],
  );
  const said = JSON.stringify([admin.requests, admin.audited]);
  assert.ok(!said.includes((json as { apiKey: string }).apiKey) && !said.includes(token));
});
