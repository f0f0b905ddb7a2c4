import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSealer } from '../../src/keys/seal.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { startAdmin } from '../support/admin-server.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';
import { asOwner, digestOf, newOwner, newRecord, openRedisStore, revoked } from '../support/stores.ts';

const IMPORT = '/api/security/keys/import';
const EXPORT = '/api/security/keys/export';
const HEADER = '{"format":"keygate-keys","version":1}';
const KEYS = 'ingestion-api-key';

let redis: TestRedis;
before(async () => void (redis = await startRedis()));
after(() => redis.stop());

function setUpHome(t: TestContext) {
  const home = createCliHome();
  t.after(() => home.remove());
  return home;
}

async function setUpAdmin(t: TestContext, options: Partial<Parameters<typeof startAdmin>[0]> = {}) {
  const home = setUpHome(t);
  const admin = await startAdmin({ path: home.at('server.db'), ...options });
  t.after(() => admin.close());
  const token = await admin.tokenFor(['admin'], 'root');
  return { home, admin, token, env: { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: token } };
}

/** What a file says of keys, by name, without what is of one export only. */
function keysIn(text: string): unknown[] {
  const [header, ...lines] = text.trimEnd().split('\n');
  const trailer = lines.pop() ?? '';
  assert.match(header ?? '', /^\{"format":"keygate-keys","version":1,"exportedAt":"[^"]+","trailer":true\}$/);
  assert.deepEqual(JSON.parse(trailer), { format: 'keygate-keys', keys: lines.length });
  return lines.map((line): unknown => JSON.parse(line));
}

test('keys go from SQLite to Redis and back, and are the same', async (t) => {
  const home = setUpHome(t);
  const toRedis = {
    KEYGATE_STORE_SQLITE_PATH: '',
    KEYGATE_STORE_REDIS_URL: redis.url,
    KEYGATE_STORE_REDIS_PREFIX: 'trip',
  };
  const made = await home.run([
    KEYS,
    'create',
    '--name',
    'ci',
    '--type',
    'sensor',
    '--cidr',
    '10.0.0.0/8',
    '-o',
    'json',
  ]);
  const { apiKey } = (JSON.parse(made.stdout) as { [KEYS]: { apiKey: string } })[KEYS];
  const gone = await home.run([KEYS, 'create', '--name', 'gone', '-o', 'json']);
  const goneId = /"id": ([0-9]+)/.exec(gone.stdout)?.[1] ?? '';
  await home.run([KEYS, 'delete', goneId]);
  await home.run(['service-token', 'create', '--name', 'ops', '--roles', 'viewer']);

  const file = home.at('keys.jsonl');
  const exported = await home.spawn(['keys', 'export', '--all', '--file', file]);
  assert.deepEqual(exported, { code: 0, stdout: `✅ Keys exported: 3, written to ${file}\n`, stderr: '' });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'utf8');
  assert.ok(!text.includes(apiKey));
  assert.ok(text.includes(digestOf(apiKey)));
  assert.equal(
    (await home.run(['keys', 'export', '--file', file])).code,
    6,
    'a file that is there is never overwritten',
  );
  assert.equal(readFileSync(file, 'utf8'), text);

  const dry = await home.run(['keys', 'import', '--file', file, '--dry-run'], toRedis);
  assert.deepEqual([dry.code, dry.stdout], [0, '✅ Keys would be imported: 3, unchanged: 0, refused: 0\n']);
  for (const expected of ['imported: 3, unchanged: 0', 'imported: 0, unchanged: 3']) {
    const imported = await home.spawn(['keys', 'import', '--file', file], toRedis);
    assert.deepEqual(imported, { code: 0, stdout: `✅ Keys ${expected}, refused: 0\n`, stderr: '' });
  }
  const back = await home.spawn(['keys', 'export', '-a'], toRedis);
  assert.deepEqual(keysIn(back.stdout), keysIn(text));
  const live = await home.run(['keys', 'export'], toRedis);
  assert.equal(keysIn(live.stdout).length, 2);

  const store = openRedisStore(redis.url, { prefix: 'trip' });
  t.after(() => store.close());
  assert.equal((await store.find([digestOf(apiKey)]))?.name, 'ci');
});

for (const through of ['store', 'admin API'] as const) {
  test(`keys of another system are hashed here, and imported through the ${through}`, async (t) => {
    const { home, admin, env: remote } = await setUpAdmin(t);
    const env = through === 'store' ? {} : remote;
    const secret = `gcik_${randomBytes(16).toString('hex')}`;
    const lines = [
      HEADER,
      JSON.stringify({ key: secret, name: 'agents', type: 'sensor', signals: ['logs'], expiration: '2090-01-01' }),
      '',
      JSON.stringify({ key: 'too-short-secret', name: 'good' }),
      JSON.stringify({ key: 'short', name: 'short' }),
      JSON.stringify({ key: `${secret}-2`, name: 'agents' }),
      JSON.stringify({ key: `${secret}-3`, name: 'odd', colour: 'red' }),
      '{"key":"gcik_cut',
    ];
    writeFileSync(home.at('old.jsonl'), lines.join('\r\n'));
    const imported = await home.run(['keys', 'import', '--file', home.at('old.jsonl')], env);
    assert.equal(imported.code, 3);
    assert.equal(imported.stdout, 'Keys imported: 2, unchanged: 0, refused: 4\n');
    assert.deepEqual(imported.stderr.trimEnd().split('\n'), [
      'line 5 (short) refused: key: must have at least 16 characters, or it could be guessed. Create a new one in its place',
      'line 6 (agents) refused: there already is a live ingestion API key named "agents". Rename one of the two',
      'line 7 (odd) refused: the line: Unrecognized key: "colour"',
      'line 8 refused: is not a JSON object, or only a part of one',
    ]);
    const again = await home.run(['keys', 'import', '--file', home.at('old.jsonl'), '-o', 'json'], env);
    assert.deepEqual(JSON.parse(again.stdout), { import: { dryRun: false, imported: 0, refused: 4, unchanged: 2 } });

    const store = createSqliteStore({ path: home.at(through === 'store' ? 'keys.db' : 'server.db') });
    t.after(() => store.close());
    const record = await store.find([digestOf(secret)]);
    assert.deepEqual(
      [record?.name, record?.type, record?.signals, record?.expiresAt],
      ['agents', 'sensor', ['logs'], Date.parse('2090-01-01')],
    );
    const told = JSON.stringify([await store.audit({ limit: 100 }), admin.audited, admin.requests]);
    assert.ok(!told.includes(secret) && !imported.stderr.includes('gcik'));
  });
}

test('a plain list of keys is imported, and one of groundcover', async (t) => {
  const home = setUpHome(t);
  const [one, two, three] = [1, 2, 3].map(() => randomBytes(16).toString('hex'));
  writeFileSync(home.at('keys.txt'), `${one}\n${two}\n`);
  writeFileSync(
    home.at('gc.json'),
    JSON.stringify([{ id: 'x', name: 'rum-shop', key: three, type: 'rum', remoteConfig: false }]),
  );
  const ok = (count: number) => `✅ Keys imported: ${count}, unchanged: 0, refused: 0\n`;
  assert.equal((await home.run(['keys', 'import', '--format', 'text', '--file', home.at('keys.txt')])).stdout, ok(2));
  assert.equal(
    (await home.run(['keys', 'import', '--format', 'groundcover', '--file', home.at('gc.json')])).stdout,
    ok(1),
  );
  const listed = await home.run([KEYS, 'list']);
  assert.match(listed.stdout, /key-1 .*\n.*key-2 .*\n.*rum-shop /);
});

test('faults of the command and the file end it with a code and a sentence', async (t) => {
  const home = setUpHome(t);
  writeFileSync(home.at('other'), 'hello');
  const record = JSON.stringify(newRecord({ name: 'before the cut' }));
  writeFileSync(home.at('cut'), `${HEADER.replace('}', ',"trailer":true}')}\n${record}\n`);
  const cases: [string[], number, RegExp][] = [
    [['import', '--file', home.at('none')], 5, /cannot read file .*none \(.*ENOENT/],
    [['import', '--file', home.directory], 5, /cannot read file .*EISDIR/],
    [['import', '--file', home.at('other')], 5, /the file cannot be imported: its first line must be/],
    [['import', '--file', home.at('other'), '--format', 'csv'], 3, /must be \{ keygate-keys \| text \| groundcover \}/],
    [['import'], 5, /it is empty/],
    [['export', '--file', home.at('none/keys')], 6, /cannot write to file/],
  ];
  for (const [args, code, message] of cases) {
    const result = await home.run(['keys', ...args]);
    assert.equal(result.code, code, args.join(' '));
    assert.match(result.stderr, message);
  }
  const cut = await home.run(['keys', 'import', '--file', home.at('cut')]);
  assert.deepEqual([cut.code, cut.stdout], [5, 'Keys imported: 1, unchanged: 0, refused: 0\n']);
  assert.match(cut.stderr, /it was cut: the last line of an export is missing/);
  assert.ok(!existsSync(home.at('none')));
});

test('the admin API imports and exports for whoever has the permission', async (t) => {
  const key = { id: 'sealing-key', secret: randomBytes(32).toString('base64') };
  const sealer = createSealer({ types: ['none'], key, random: randomBytes });
  const { admin, token } = await setUpAdmin(t, { sealer });
  await admin.request('POST', '/api/security/ingestion/api_keys', { token, body: { name: 'sealed' } });
  const record = newRecord({ name: 'imported' });
  const imported = await admin.request('POST', IMPORT, { token, body: { lines: [record, { name: 'x' }] } });
  assert.equal(imported.status, 200);
  const [first, second] = (imported.json as { results: { outcome: string; reason?: string }[] }).results;
  assert.deepEqual(first, { outcome: 'imported', id: record.id, name: 'imported' });
  assert.match(second?.reason ?? '', /^digest: must be sha256:/);
  assert.equal(admin.audited.at(-1)?.action, 'imported');
  assert.equal(admin.audited.at(-1)?.via, 'admin-api');

  const page = await admin.request('GET', `${EXPORT}?limit=1`, { token });
  const { keys, next = '' } = page.json as { keys: unknown[]; next?: string };
  assert.deepEqual(keys, [record]);
  const rest = await admin.request('GET', `${EXPORT}?limit=1&after=${next}`, { token });
  assert.match(rest.text, /"name":"sealed"/);
  for (const part of ['"sealed":', 'nonce', 'sealing-key']) assert.ok(!rest.text.includes(part), rest.text);

  for (const role of ['key-manager', 'viewer', 'auditor']) {
    const other = await admin.tokenFor([role]);
    assert.equal((await admin.request('GET', EXPORT, { token: other })).status, 403);
    assert.equal((await admin.request('POST', IMPORT, { token: other, body: { lines: [record] } })).status, 403);
  }
  const many = { lines: Array.from({ length: 201 }, () => ({ name: 'x' })) };
  assert.equal((await admin.request('POST', IMPORT, { token, body: many })).status, 400);
  assert.equal((await admin.request('POST', IMPORT, { token, body: { lines: [] } })).status, 400);
  assert.equal((await admin.request('GET', `${EXPORT}?after=x`, { token })).status, 400);
  assert.equal((await admin.request('GET', `${EXPORT}?limit=1001`, { token })).status, 400);
});

test('a service token is imported only by whoever may do what it may', async (t) => {
  const { admin, token } = await setUpAdmin(t);
  const powerful = newRecord({ kind: 'service', name: 'powerful', roles: ['admin'] });
  const strange = newRecord({ kind: 'service', name: 'strange', roles: ['king'] });
  const body = { lines: [powerful, strange] };
  const reasonsFor = async (as: string): Promise<(string | undefined)[]> => {
    const { json } = await admin.request('POST', IMPORT, { token: as, body });
    return (json as { results: { reason?: string }[] }).results.map(({ reason }) => reason);
  };
  const [taken, unknown] = await reasonsFor(token);
  assert.equal(taken, undefined);
  assert.match(unknown ?? '', /unknown role "king"/);
});

for (const through of ['Redis', 'admin API'] as const) {
  test(`the key of an owner is imported only where the owner is, or comes with it: ${through}`, async (t) => {
    const { home, env: remote } = await setUpAdmin(t);
    const redisEnv = {
      KEYGATE_STORE_SQLITE_PATH: '',
      KEYGATE_STORE_REDIS_URL: redis.url,
      KEYGATE_STORE_REDIS_PREFIX: 'owned',
      KEYGATE_STORE_REDIS_COMMAND_TIMEOUT: '2s',
      KEYGATE_STORE_REDIS_SOCKET_TIMEOUT: '2s',
    };
    const env = through === 'Redis' ? redisEnv : remote;
    const owner = newOwner({ name: 'checkout' });
    const key = newRecord({ name: 'eu', owner: asOwner(owner) });
    const dead = revoked(newRecord({ name: 'old', owner: asOwner(owner) }), 5_000);
    const bring = async (...records: object[]) => {
      const file = home.at('owned.jsonl');
      writeFileSync(file, [HEADER, ...records.map((record) => JSON.stringify(record))].join('\n'));
      return runHere(['keys', 'import', '--file', file], env);
    };
    const refused = await bring(key, dead);
    assert.deepEqual(
      [refused.code, refused.stdout],
      [3, 'Keys imported: 1, unchanged: 0, refused: 1\n'],
      refused.stderr,
    );
    assert.match(
      refused.stderr,
      /^line 2 \(eu\) refused: its owner, the service id "checkout" \([0-9]+\), is not there/,
    );
    assert.equal((await bring(owner, key)).stdout, '✅ Keys imported: 2, unchanged: 0, refused: 0\n');
    assert.equal((await bring(key)).stdout, '✅ Keys imported: 0, unchanged: 1, refused: 0\n');
  });
}
