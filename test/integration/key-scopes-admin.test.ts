import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startAdmin } from '../support/admin-server.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliHome } from '../support/run-cli.ts';

const KEYS = '/api/security/ingestion/api_keys';
const CREATE = ['ingestion-api-key', 'create', '--name', 'shop', '-o', 'json'];
const FLAGS =
  '--type rum --signals traces,logs --cidr 10.0.0.0/8,192.0.2.1 --cidr 2001:DB8::/32 ' +
  '--origin https://shop.example.com --origin * --tenant acme --tags eu,agents --limit-requests 100/500 --limit-bytes 1MiB/4MiB';
const SCOPE = {
  type: 'rum',
  signals: ['traces', 'logs'],
  cidrs: ['10.0.0.0/8', '192.0.2.1/32', '2001:db8::/32'],
  origins: ['https://shop.example.com', '*'],
  tenant: 'acme',
  tags: ['eu', 'agents'],
  limits: { requestsPerSecond: 100, requestBurst: 500, bytesPerSecond: 2 ** 20, byteBurst: 2 ** 22 },
};

function home(t: TestContext): CliHome {
  const made = createCliHome();
  t.after(() => made.remove());
  return made;
}

async function serve(t: TestContext, cli: CliHome) {
  const admin = await startAdmin({ path: cli.at('served.db') });
  t.after(() => admin.close());
  return { admin, token: await admin.tokenFor(['admin']) };
}

/** What is said of a key's limits, and nothing else of it. */
function scopeOf(key: Record<string, unknown> = {}): unknown {
  const { type, signals, cidrs, origins, tenant, tags, limits } = key;
  return { type, signals, cidrs, origins, tenant, tags, limits };
}

test('a key is made with all its limits straight in the store, and listed with them', async (t) => {
  const cli = home(t);
  const created = await cli.run([...CREATE, ...FLAGS.split(' ')]);
  assert.equal(created.stderr, '');
  const { 'ingestion-api-key': key } = JSON.parse(created.stdout) as Record<string, Record<string, unknown>>;
  assert.deepEqual(scopeOf(key), SCOPE);
  const { stdout } = await cli.run(['ingestion-api-key', 'list', '-o', 'json']);
  const { 'ingestion-api-keys': [listed] = [] } = JSON.parse(stdout) as Record<string, Record<string, unknown>[]>;
  assert.deepEqual(scopeOf(listed), SCOPE);
  const described = await cli.run(['ingestion-api-key', 'describe', '--id', String(listed?.['id'])]);
  assert.match(described.stdout, /^Tags: +eu, agents$/m);
  await cli.run(['ingestion-api-key', 'update', '--id', String(listed?.['id']), '--tags', 'none']);
  const again = await cli.run(['ingestion-api-key', 'describe', '--id', String(listed?.['id'])]);
  assert.doesNotMatch(again.stdout, /^Tags|agents/m);
});

test('a key is made with all its limits through the admin API, which answers with them', async (t) => {
  const cli = home(t);
  const { admin, token } = await serve(t, cli);
  const created = await cli.run([...CREATE, ...FLAGS.split(' '), '--url', admin.url], { KEYGATE_SERVICE_TOKEN: token });
  assert.equal(created.stderr, '');
  const { 'ingestion-api-key': key } = JSON.parse(created.stdout) as Record<string, Record<string, unknown>>;
  assert.deepEqual(scopeOf(key), SCOPE);
  const { json } = await admin.request('GET', KEYS, { token });
  assert.deepEqual((json as Record<string, unknown>[]).map(scopeOf), [SCOPE]);
  const [record] = await admin.service.list('ingestion');
  assert.deepEqual(scopeOf({ ...record }), SCOPE);
});

test('a rate alone, and single values, are enough', async (t) => {
  const cli = home(t);
  const { stdout } = await cli.run([...CREATE, '--limit-requests', '5', '--limit-bytes', '512B', '--signals', 'logs']);
  const { 'ingestion-api-key': key = {} } = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
  assert.deepEqual([key['limits'], key['signals']], [{ requestsPerSecond: 5, bytesPerSecond: 512 }, ['logs']]);
});

test('a value that cannot be is refused with what is allowed, and no key is made', async (t) => {
  const cli = home(t);
  const count = 'must be N or N/burst, each a whole number from 1 to 1000000';
  const bytes = 'must be a size or size/burst, each from 1B to 1024GiB with its unit: B, KiB, MiB, GiB';
  const twoParts = 'must be a rate, or a rate and a burst with a / between them';
  const cases: readonly (readonly [flag: string, value: string, why: string, named?: string])[] = [
    ['--type', 'RUM', 'must be one of sensor, rum, thirdParty'],
    ['--signals', 'traces,spans', 'must be one of traces, metrics, logs, profiles', 'spans'],
    ['--cidr', '10.0.0.1/8', 'must be a whole network: write 10.0.0.0/8'],
    ['--cidr', 'office', 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or a single address'],
    ['--origin', 'https://shop.example.com/', 'must be as browsers write it: https://shop.example.com'],
    ['--limit-requests', '0', count],
    ['--limit-requests', '10/1000001', count],
    ['--limit-requests', '1/2/3', twoParts],
    ['--limit-bytes', '1MB', bytes],
    ['--limit-bytes', '1MiB/', bytes],
  ];
  for (const [flag, value, why, named = value] of cases) {
    const { code, stderr } = await cli.run(['ingestion-api-key', 'create', '--name', 'shop', flag, value]);
    assert.deepEqual([code, stderr], [3, `❌ invalid argument "${named}" for "${flag}" flag: ${why}\n`], value);
  }
  assert.match((await cli.run(['ingestion-api-key', 'list'])).stdout, /^No ingestion api keys found/);
});

test('the admin API refuses what cannot be, and says what is allowed', async (t) => {
  const cli = home(t);
  const { admin, token } = await serve(t, cli);
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ type: 'RUM' }, /^type: .*"sensor"\|"rum"\|"thirdParty"/],
    [{ signals: ['spans'] }, /^signals\.0: .*"traces"\|"metrics"\|"logs"\|"profiles"/],
    [{ signals: [] }, /^The list of signals must have 1 to 100 entries/],
    [
      { cidrs: ['10.0.0.1/8'] },
      /^The entry "10\.0\.0\.1\/8" of cidrs must be a whole network: write 10\.0\.0\.0\/8\.$/,
    ],
    [{ origins: ['shop'] }, /^The entry "shop" of origins must be scheme:\/\/host /],
    [{ limits: { requestBurst: 5 } }, /^The limits cannot be kept: requestBurst needs requestsPerSecond beside it\.$/],
    [{ limits: { requests: 5 } }, /^limits\."requests": there is no such field; the fields are requestsPerSecond,/],
    [{ tenant: '' }, /^The tenant must have 1 to 100 characters/],
    [{ tags: [] }, /^The list of tags must have 1 to 20 entries/],
  ];
  for (const [scope, message] of cases) {
    const { status, json } = await admin.request('POST', KEYS, { token, body: { name: 'shop', ...scope } });
    const { errors } = json as { errors: { _type: string; message: string }[] };
    assert.deepEqual([status, errors.map(({ _type }) => _type)], [400, ['InvalidRequest']]);
    assert.match(errors[0]?.message ?? '', message);
  }
  assert.deepEqual((await admin.request('GET', KEYS, { token })).json, []);
});
