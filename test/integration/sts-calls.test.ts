import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import { startAdmin } from '../support/admin-server.ts';
import { createCliHome } from '../support/run-cli.ts';

/**
 * The calls of StackState's command line `sts` 3.0 with all that its client, which a generator wrote in Go, sends and cannot do
 * without: it asks who the server is before each command, sends bodies that end with a line feed, reads an answer only if it is
 * JSON by its type, shows people why it was refused only if that type is `application/json` to the letter, and fails on a number
 * where its structure has a text. Its 400s it takes apart by `_type`, if they are JSON objects.
 */
const KEYS = '/security/ingestion/api_keys';
const TOKENS = '/security/tokens';

const int64 = z.int();
const serverInfo = z.object({
  version: z.object({
    major: z.int(),
    minor: z.int(),
    patch: z.int(),
    diff: z.string(),
    commit: z.string(),
    isDev: z.boolean(),
  }),
  deploymentMode: z.string(),
});
const ingestionApiKey = z.object({
  id: int64,
  lastUpdateTimestamp: int64,
  name: z.string(),
  description: z.string().optional(),
  expiration: int64.optional(),
});
const serviceToken = z.object({
  id: int64,
  name: z.string(),
  expiration: int64.optional(),
  roles: z.array(z.string()),
  dedicatedSubject: z.string().optional(),
});
const errorsResponse = z.object({
  _type: z.string(),
  trackingKey: z.string(),
  serverTimestamp: int64,
  errors: z.array(z.object({ _type: z.string(), message: z.string() })),
});
const nothing = z.undefined();

async function setUp(t: TestContext) {
  const home = createCliHome();
  const admin = await startAdmin({ path: home.at('keys.db') });
  t.after(async () => {
    await admin.close();
    home.remove();
  });
  const token = await admin.tokenFor(['admin'], 'sts');

  async function call<T>(method: string, path: string, answer: z.ZodType<T>, body?: object, as = token) {
    const response = await fetch(`${admin.url}/api${path}`, {
      method,
      headers: {
        Accept: 'application/json',
        'User-Agent': 'OpenAPI-Generator/1.0.0/go',
        'X-API-Key': as,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: `${JSON.stringify(body)}\n` }),
    });
    const text = await response.text();
    if (text !== '') assert.equal(response.headers.get('content-type'), 'application/json');
    return { status: response.status, value: answer.parse(text === '' ? undefined : JSON.parse(text)) };
  }

  return { admin, call };
}

test('sts hears who the server is before each command, and that its token is not accepted', async (t) => {
  const { call } = await setUp(t);
  const info = await call('GET', '/server/info', serverInfo);
  assert.deepEqual([info.status, info.value.deploymentMode], [200, 'SelfHosted']);
  const refused = await call('GET', '/server/info', errorsResponse, undefined, 'svctok-wrong');
  assert.equal(refused.status, 401);
});

test('sts creates, lists and deletes ingestion API keys, also one that is in use', async (t) => {
  const { admin, call } = await setUp(t);
  const expiration = Date.UTC(2040, 11, 31);
  const created = await call('POST', KEYS, ingestionApiKey.extend({ apiKey: z.string() }), {
    name: 'shop',
    description: 'd',
    expiration,
  });
  assert.equal(created.status, 200);
  const { apiKey, ...shown } = created.value;
  assert.match(apiKey, /^iapikeyok-/);
  const bare = await call('POST', KEYS, ingestionApiKey.extend({ apiKey: z.string() }), { name: 'bare' });
  assert.deepEqual([bare.value.description, bare.value.expiration], [undefined, undefined]);
  const listed = await call('GET', KEYS, z.array(ingestionApiKey));
  assert.deepEqual(
    listed.value.find(({ name }) => name === 'shop'),
    shown,
  );
  assert.equal((await call('DELETE', `${KEYS}/${shown.id}`, nothing)).status, 204);
  assert.deepEqual(
    (await admin.service.list('ingestion')).map(({ name }) => name),
    ['bare'],
  );
});

test('sts creates, lists and deletes service tokens', async (t) => {
  const { call } = await setUp(t);
  const request = { name: 'ci', roles: ['key-manager'], expiryDate: Date.UTC(2040, 0, 1) };
  const created = await call(
    'POST',
    TOKENS,
    z.object({ name: z.string(), token: z.string(), expiration: int64 }),
    request,
  );
  assert.deepEqual([created.status, created.value.expiration], [200, request.expiryDate]);
  const { token } = created.value;
  assert.equal((await call('GET', '/server/info', serverInfo, undefined, token)).status, 200);
  const listed = await call('GET', TOKENS, z.array(serviceToken));
  const { id, roles } = listed.value.find(({ name }) => name === 'ci') ?? {};
  assert.deepEqual(roles, ['key-manager']);
  assert.equal((await call('DELETE', `${TOKENS}/${id}`, nothing)).status, 204);
  assert.equal((await call('GET', '/server/info', errorsResponse, undefined, token)).status, 401);
});

test('sts is shown why something is refused', async (t) => {
  const { admin, call } = await setUp(t);
  const late = z.object({ _type: z.literal('IngestionApiKeyInvalidExpiryError'), message: z.string() });
  assert.equal((await call('POST', KEYS, late, { name: 'late', expiration: 1 })).status, 400);
  assert.equal((await call('POST', KEYS, errorsResponse, { name: 'with a\nline feed' })).status, 400);
  const lateToken = z.object({ _type: z.literal('ServiceTokenInvalidExpiryError'), message: z.string() });
  assert.equal((await call('POST', TOKENS, lateToken, { name: 'late', roles: ['admin'], expiryDate: 1 })).status, 400);
  assert.equal((await call('POST', TOKENS, errorsResponse, { name: 'ci', roles: ['nobody'] })).status, 400);
  await call('POST', KEYS, z.unknown(), { name: 'shop' });
  const taken = await call('POST', KEYS, errorsResponse, { name: 'shop' });
  assert.equal(taken.status, 409);
  assert.match(taken.value.errors[0]?.message ?? '', /^There already is a live ingestion API key named "shop"/);
  assert.equal((await call('DELETE', `${KEYS}/1`, errorsResponse)).status, 404);
  const viewer = await admin.tokenFor(['viewer']);
  assert.equal((await call('POST', KEYS, errorsResponse, { name: 'more' }, viewer)).status, 403);
});
