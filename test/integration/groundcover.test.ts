import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSealer } from '../../src/keys/seal.ts';
import { StoreError } from '../../src/store/port.ts';
import { startAdmin } from '../support/admin-server.ts';
import type { TestAdminOptions } from '../support/admin-server.ts';
import { createCliHome } from '../support/run-cli.ts';

const KEYS = '/api/rbac/ingestion-keys';
const SECRET = randomBytes(32).toString('base64');
const sealer = createSealer({ types: ['sensor'], key: { id: '2026', secret: SECRET }, random: randomBytes });

/** A name and the text of a key, or of a fault. */
interface Shown {
  readonly id: string;
  readonly name: string;
  readonly key?: string;
  readonly tags?: readonly string[];
  readonly message?: string;
}

async function setUp(t: TestContext, options: Partial<TestAdminOptions> = {}) {
  const home = createCliHome();
  t.after(() => home.remove());
  const admin = await startAdmin({ path: home.at('server.db'), sealer, ...options });
  t.after(() => admin.close());
  const token = await admin.tokenFor(['admin'], 'root');
  // As groundcover's SDKs call: with a backend of theirs, and what was not given as null.
  const as =
    (bearer: string) =>
    async (method: string, path: string, body: unknown): Promise<[status: number, body: Shown & readonly Shown[]]> => {
      const headers = { authorization: `Bearer ${bearer}`, 'x-backend-id': 'groundcover-staging' };
      const { status, json } = await admin.request(method, `${KEYS}/${path}`, { headers, body });
      return [status, json as Shown & readonly Shown[]];
    };
  const call = as(token);
  return { home, admin, token, as, call };
}

describe('ingestion keys in the shapes of groundcover', () => {
  test('are made, listed with their texts, and deleted by their names', async (t) => {
    const { admin, call } = await setUp(t);
    const [status, made] = await call('POST', 'create', { name: 'prod-eu', type: 'sensor', tags: null });
    const { key = '' } = made;
    assert.match(key, /^iapikeyok-/);
    const record = await admin.service.get('ingestion', made.id);
    const shown = { id: record.id, name: 'prod-eu', createdBy: record.createdBy, key, type: 'sensor' };
    assert.deepEqual([status, made], [201, { ...shown, remoteConfig: true, tags: [] }]);
    assert.deepEqual(await call('POST', 'list', { name: 'prod-eu' }), [200, [made]]);
    assert.deepEqual([admin.audited.at(-1)?.action, admin.audited.at(-1)?.id], ['revealed', record.id]);

    const taken = await call('POST', 'create', { name: 'prod-eu', type: 'rum' });
    assert.equal(taken[0], 409);
    assert.match(taken[1].message ?? '', /^There already is a live ingestion API key named "prod-eu"\./);
    assert.deepEqual(await call('DELETE', 'delete', { name: 'prod-eu' }), [202, undefined]);
    assert.deepEqual(await call('POST', 'list', {}), [200, []]);
    const gone = { message: 'There is no ingestion key named "prod-eu".' };
    assert.deepEqual(await call('DELETE', 'delete', { name: 'prod-eu' }), [404, gone]);
    assert.equal((await call('POST', 'create', { name: 'prod-eu', type: 'rum' }))[0], 201);
  });

  test('are found by exact filters, and shown without a text that cannot be had', async (t) => {
    const { call, admin } = await setUp(t);
    for (const [name, type] of [
      ['a', 'sensor'],
      ['a-b', 'thirdParty'],
      ['pages', 'rum'],
    ] as const) {
      assert.equal((await call('POST', 'create', { name, type }))[0], 201);
    }
    await admin.service.create({ kind: 'ingestion', name: 'any' }, { name: 'a test' });
    const names = async (filter: object) => (await call('POST', 'list', filter))[1].map(({ name }) => name);
    assert.deepEqual(await names({}), ['a', 'a-b', 'any', 'pages']);
    assert.deepEqual(await names({ name: 'a' }), ['a']);
    assert.deepEqual(await names({ name: '*' }), []);
    assert.deepEqual(await names({ type: 'rum' }), ['pages']);
    assert.deepEqual(await names({ type: '', name: '', remoteConfig: null }), ['a', 'a-b', 'any', 'pages']);
    assert.deepEqual(await names({ remoteConfig: true }), ['a']);
    assert.deepEqual(await names({ remoteConfig: false }), ['a-b', 'any', 'pages']);
    const [, all] = await call('POST', 'list', {});
    assert.deepEqual(
      all.filter(({ key }) => key !== undefined).map(({ name }) => name),
      ['a'],
    );
  });

  test('keep their tags, which are shown everywhere and go with an export', async (t) => {
    const { admin, call } = await setUp(t);
    const tags = ['env:prod', 'Größe 3'];
    const [status, made] = await call('POST', 'create', { name: 'tagged', type: 'rum', tags: [...tags, tags[0]] });
    assert.deepEqual([status, made.tags], [201, tags]);
    assert.deepEqual((await call('POST', 'list', { name: 'tagged' }))[1][0]?.tags, tags);
    const record = await admin.service.get('ingestion', made.id);
    const { record: successor } = await admin.service.rotate('ingestion', made.id, {}, { name: 'a test' });
    assert.deepEqual([record.tags, successor.tags], [tags, tags]);
    const { keys } = await admin.service.export({ limit: 10 });
    assert.deepEqual(keys.find(({ id }) => id === successor.id)?.tags, tags);
    assert.deepEqual(admin.audited.at(-1)?.after['tags'], tags);
  });

  test('are deleted by a request that does not say what its body is, as the SDK for TypeScript sends it', async (t) => {
    const { admin, token, call } = await setUp(t);
    const send = (method: string, path: string, name: string, type?: string) =>
      fetch(`${admin.url}${KEYS}/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(type !== undefined && { 'content-type': type }) },
        body: Buffer.from(JSON.stringify({ name })),
      });
    await call('POST', 'create', { name: 'prod-eu', type: 'sensor' });
    assert.equal((await send('DELETE', 'delete', 'prod-eu', 'text/plain')).status, 415);
    assert.equal((await send('DELETE', 'delete', 'prod-eu')).status, 202);
    assert.equal((await send('DELETE', 'delete', 'prod-eu')).status, 404);
    assert.equal((await send('POST', 'list', 'prod-eu')).status, 415);
  });

  test('of one name are deleted with the one that takes their place, and expired ones are not there', async (t) => {
    const { call, admin } = await setUp(t);
    const [, { id }] = await call('POST', 'create', { name: 'twice', type: 'sensor' });
    await admin.service.rotate('ingestion', id, { graceMs: 60_000 }, { name: 'a test' });
    assert.equal((await call('POST', 'list', { name: 'twice' }))[1].length, 1);
    assert.deepEqual(await call('DELETE', 'delete', { name: 'twice' }), [202, undefined]);
    assert.equal((await admin.service.get('ingestion', id)).state, 'revoked');

    const now = Date.parse('2030-01-01T00:00:00Z');
    const soon = { kind: 'ingestion', name: 'short', type: 'sensor', expiresAt: now + 1_000 } as const;
    await admin.service.create(soon, { name: 'a test' });
    admin.setNow(now + 2_000);
    assert.deepEqual(await call('POST', 'list', { name: 'short' }), [200, []]);
    assert.equal((await call('DELETE', 'delete', { name: 'short' }))[0], 404);
  });

  test('are refused in one message, which names each fault', async (t) => {
    const { call, as, admin } = await setUp(t);
    const message = async (path: string, body: unknown, method = 'POST') => {
      const [status, answer] = await call(method, path, body);
      assert.deepEqual(Object.keys(answer), ['message']);
      return `${status} ${answer.message}`;
    };
    assert.match(
      await message('create', { name: 'x', type: 'Sensor' }),
      /^400 type: must be one of sensor, rum, third/,
    );
    assert.match(await message('create', {}), /^400 name: .* type: /);
    assert.match(await message('create', { name: '', type: 'rum' }), /^400 The name must/);
    assert.match(await message('create', { name: 'x', type: 'rum', remoteConfig: true }), /^400 remoteConfig: /);
    assert.match(await message('create', { name: 'x', type: 'sensor', remoteConfig: false }), /^400 remoteConfig: /);
    assert.match(await message('create', { name: 'x', type: 'rum', tags: 'a' }), /^400 tags: /);
    assert.match(await message('create', { name: 'x', type: 'rum', tags: [''] }), /^400 The list of tags must have/);
    assert.match(await message('create', { name: 'x', typ: 'rum' }), /^400 .*"typ": there is no such field; was type/);
    assert.match(await message('create', 'no json'), /^400 The body is not valid JSON\.$/);
    assert.match(await message('list', { type: 'all' }), /^400 type: must be one of/);
    assert.match(await message('delete', {}, 'DELETE'), /^400 name: /);
    const [status, { message: unknown }] = await as('svctok-none')('POST', 'list', {});
    assert.deepEqual([status, typeof unknown], [401, 'string']);
    const viewer = as(await admin.tokenFor(['viewer']));
    assert.equal((await viewer('POST', 'create', { name: 'x', type: 'rum' }))[0], 403);
    assert.equal((await viewer('DELETE', 'delete', { name: 'x' }))[0], 403);
  });

  test('are listed without their texts to whoever may not reveal any', async (t) => {
    const { call, as, admin } = await setUp(t);
    await call('POST', 'create', { name: 'a', type: 'sensor' });
    const [status, keys] = await as(await admin.tokenFor(['viewer']))('POST', 'list', {});
    assert.deepEqual([status, keys.map(({ name, key }) => [name, key])], [200, [['a', undefined]]]);
    assert.equal(admin.audited.filter(({ action }) => action === 'revealed').length, 0);
  });

  test('are told to be in doubt while the store is away', async (t) => {
    let isAway = false;
    const { call } = await setUp(t, {
      wrapStore: (store) => ({
        ...store,
        find: async (digests) => {
          if (isAway) throw new StoreError('unavailable', 'the store is away');
          return store.find(digests);
        },
      }),
    });
    isAway = true;
    const [status, { message = '' }] = await call('POST', 'list', {});
    assert.equal(status, 503);
    assert.match(message, /^The key store is away.*\(trackingKey [0-9a-f-]{36}\)$/);
  });
});

for (const through of ['store', 'admin API'] as const) {
  describe(`keygate get-ingestion-key through the ${through}`, () => {
    async function commands(t: TestContext) {
      const { home, admin, token } = await setUp(t);
      const env: Record<string, string> =
        through === 'store'
          ? {
              KEYGATE_KEYS_REVEALABLE_TYPES: 'sensor',
              KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_ID: '2026',
              KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_SECRET: SECRET,
            }
          : { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: token };
      return (...args: string[]) => home.run(args, env);
    }

    test('prints the key and nothing else, and the same one again', async (t) => {
      const run = await commands(t);
      const first = await run('get-ingestion-key', 'sensor');
      assert.match(first.stdout, /^iapikeyok-[0-9A-Za-z]{38}\n$/, first.stderr);
      assert.deepEqual(first, { code: 0, stdout: first.stdout, stderr: '' });
      assert.deepEqual(await run('get-ingestion-key', 'sensor'), first);
      assert.match((await run('ingestion-api-key', 'list')).stdout, / cli-generated-ingestion-key-sensor /);
      const other = await run('get-ingestion-key', 'sensor', 'prod-eu');
      assert.notEqual(other.stdout, first.stdout);
      const json = await run('get-ingestion-key', 'sensor', 'prod-eu', '-o', 'json');
      assert.deepEqual(JSON.parse(json.stdout), { key: other.stdout.trim() });
      assert.match((await run('audit', 'list')).stdout, /revealed/);
    });

    test('says what to do where there is a key that it cannot print, or one of another type', async (t) => {
      const run = await commands(t);
      const made = await run('get-ingestion-key', 'thirdParty', 'fluent');
      assert.equal(made.code, 0);
      const again = await run('get-ingestion-key', 'thirdParty', 'fluent');
      assert.deepEqual([again.code, again.stdout], [3, '']);
      assert.match(
        again.stderr,
        /"fluent" is there, but cannot be printed again.*keys\.revealable\.types: \[thirdParty\]/,
      );
      assert.match(again.stderr, /keygate ingestion-api-key rotate --id [0-9]+/);
      const other = await run('get-ingestion-key', 'rum', 'fluent');
      assert.deepEqual([other.code, other.stdout], [3, '']);
      assert.match(other.stderr, /"fluent" is of type thirdParty, not rum: give another name/);
      const none = await run('get-ingestion-key');
      assert.equal(none.code, 3);
      assert.match(none.stderr, /ingestion key type is required/);
      assert.match((await run('get-ingestion-key', 'Sensor')).stderr, /must be one of sensor, rum, thirdParty/);
    });

    test('makes one key, however many ask for it at once', async (t) => {
      const run = await commands(t);
      const answers = await Promise.all([1, 2, 3, 4].map(() => run('get-ingestion-key', 'sensor', 'raced')));
      const keys = new Set(answers.map(({ stdout }) => stdout));
      assert.deepEqual(
        [keys.size, answers.every(({ code }) => code === 0)],
        [1, true],
        answers.map(({ stderr }) => stderr).join(''),
      );
    });
  });
}
