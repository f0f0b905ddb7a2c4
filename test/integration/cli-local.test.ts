import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { checkKeyText } from '../../src/credential/key-text.ts';
import { run } from '../../src/cli/run.ts';
import { openStore } from '../../src/store/open.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliHome } from '../support/run-cli.ts';

function home(t: TestContext): CliHome {
  const made = createCliHome();
  t.after(() => made.remove());
  return made;
}

const KEY = /^✅ Ingestion API Key generated: (iapikeyok-[0-9A-Za-z]{38})\n\n$/;
const TOKEN = /^✅ Service token created: (svctok-[0-9A-Za-z]{38})\n\n$/;
const LIST = ['ingestion-api-key', 'list'];

/** The only id of a list in JSON. */
async function onlyId(cli: CliHome, what: 'ingestion-api-key' | 'service-token'): Promise<number> {
  const { stdout } = await cli.run([what, 'list', '-o', 'json']);
  const [entry] = (JSON.parse(stdout) as Record<string, { id: number }[]>)[`${what}s`] ?? [];
  return entry?.id ?? assert.fail(stdout);
}

test('a key is created, listed and deleted straight in a store that was not there before', async (t) => {
  const cli = home(t);
  const nothing = { code: 0, stdout: 'No ingestion api keys found.\n', stderr: '' };
  assert.deepEqual(await cli.spawn(LIST), nothing);

  const created = await cli.spawn(['ingestion-api-key', 'create', '--name', 'my-ingestion-api-key']);
  const [, key = ''] = KEY.exec(created.stdout) ?? [];
  assert.deepEqual([created.code, created.stderr, checkKeyText(key)], [0, '', 'ok']);

  const id = String(await onlyId(cli, 'ingestion-api-key'));
  assert.deepEqual(await cli.run(LIST), {
    code: 0,
    stdout:
      `${'ID'.padEnd(id.length)} | NAME                 | EXPIRATION | DESCRIPTION\n` +
      `${id} | my-ingestion-api-key |            | -          \n`,
    stderr: '',
  });

  const deleted = { code: 0, stdout: `✅ Ingestion Api Key deleted: ${id}\n`, stderr: '' };
  assert.deepEqual(await cli.spawn(['ingestion-api-key', 'delete', '--id', id]), deleted);
  assert.deepEqual(await cli.run(LIST), nothing);
  assert.deepEqual(await cli.spawn(['ingestion-api-key', 'delete', id]), {
    code: 8,
    stdout: '',
    stderr: `❌ There is no ingestion API key with the id ${id}. List them to see their ids.\n`,
  });
});

test('the list is by name, with days in UTC wherever it is read', async (t) => {
  const cli = home(t);
  const env = { TZ: 'America/Los_Angeles' };
  await cli.spawn(
    ['ingestion-api-key', 'create', '-n', 'beta', '--expiration', '2040-12-31', '--description', 'the shop'],
    env,
  );
  await cli.run(['ingestion-api-key', 'create', '-n', 'alpha', '--description', '']);
  const { stdout } = await cli.spawn(LIST, env);
  assert.deepEqual(
    stdout.split('\n').map((line) => line.replace(/^[0-9A-Z ]+\| /, '')),
    ['NAME  | EXPIRATION | DESCRIPTION', 'alpha |            | -          ', 'beta  | 2040-12-31 | the shop   ', ''],
  );
});

test('JSON output has StackState’s shape, keys in order, and only what there is', async (t) => {
  const cli = home(t);
  const args = [
    'ingestion-api-key',
    'create',
    '-n',
    'ci',
    '--description',
    'd',
    '--expiration',
    '2040-01-01',
    '-o',
    'json',
  ];
  const created = await cli.run(args);
  const { 'ingestion-api-key': key } = JSON.parse(created.stdout) as { 'ingestion-api-key': Record<string, unknown> };
  const { apiKey, id, lastUpdateTimestamp } = key;
  assert.match(String(apiKey), /^iapikeyok-/);
  assert.ok(typeof id === 'number' && typeof lastUpdateTimestamp === 'number');
  const fields = `"description": "d",
      "expiration": ${Date.parse('2040-01-01T00:00:00Z')},
      "id": ${id},
      "lastUpdateTimestamp": ${lastUpdateTimestamp},
      "name": "ci"`;
  assert.equal(
    created.stdout,
    `{\n  "ingestion-api-key": {\n    "apiKey": "${String(apiKey)}",\n    ${fields.replaceAll('\n  ', '\n')}\n  }\n}\n`,
  );
  assert.equal(
    (await cli.run([...LIST, '-o', 'json'])).stdout,
    `{\n  "ingestion-api-keys": [\n    {\n      ${fields}\n    }\n  ]\n}\n`,
  );
  assert.equal(
    (await cli.run(['ingestion-api-key', 'delete', '-i', String(id), '-o', 'json'])).stdout,
    `{\n  "deleted-ingestion-api-key": ${id}\n}\n`,
  );
  assert.equal((await cli.run([...LIST, '-o', 'json'])).stdout, '{\n  "ingestion-api-keys": []\n}\n');
});

test('a service token is created, listed with its roles, and deleted by its bare id', async (t) => {
  const cli = home(t);
  assert.equal((await cli.run(['service-token', 'list'])).stdout, 'No service tokens found.\n');
  const args = ['service-token', 'create', '--name', 'my-service-token', '--roles', 'stackstate-k8s-troubleshooter'];
  assert.match((await cli.run(args)).stdout, TOKEN);
  const id = String(await onlyId(cli, 'service-token'));
  assert.equal(
    (await cli.run(['service-token', 'list'])).stdout,
    `${'ID'.padEnd(id.length)} | NAME             | EXPIRATION | ROLES                          \n` +
      `${id} | my-service-token |            | [stackstate-k8s-troubleshooter]\n`,
  );
  assert.equal((await cli.run(['service-token', 'delete', id])).stdout, `✅ Service token deleted: ${id}\n`);
});

test('roles may be repeated or separated by commas, and whom a token is for is shown when there is anyone', async (t) => {
  const cli = home(t);
  const args = ['service-token', 'create', '-n', 't', '--roles', 'viewer,validator', '--roles', 'key-manager'];
  await cli.run(['service-id', 'create', '--name', 'ci']);
  const created = await cli.run([...args, '--dedicatedSubject', 'ci', '-o', 'json']);
  const { 'service-token': token } = JSON.parse(created.stdout) as { 'service-token': Record<string, unknown> };
  assert.deepEqual([token['roles'], token['dedicatedSubject']], [['viewer', 'validator', 'key-manager'], 'ci']);
  const { stdout } = await cli.run(['service-token', 'list']);
  assert.match(stdout, /^ID +\| NAME \| EXPIRATION \| ROLES +\| DEDICATED_SUBJECT\n/);
  assert.match(stdout, /\| \[viewer, validator, key-manager\] \| ci +\n$/);
});

test('what cannot be is refused with exit code 3, in words or in JSON', async (t) => {
  const cli = home(t);
  const create = ['ingestion-api-key', 'create', '--name'];
  await cli.run([...create, 'twin']);
  const taken =
    'There already is a live ingestion API key named "twin". Choose another name, or delete that one first.';
  assert.deepEqual(await cli.run([...create, 'twin']), { code: 3, stdout: '', stderr: `❌ ${taken}\n` });
  assert.deepEqual(await cli.run([...create, 'twin'], { NO_COLOR: '1' }), {
    code: 3,
    stdout: '',
    stderr: `[ERROR] ${taken}\n`,
  });
  const asJson = await cli.run([...create, 'twin', '-o', 'json']);
  assert.deepEqual([asJson.code, asJson.stdout], [3, '']);
  assert.deepEqual(JSON.parse(asJson.stderr), { error: true, 'error-message': taken });

  const past = await cli.run([...create, 'old', '--expiration', '2020-05-22']);
  assert.deepEqual(
    [past.code, past.stderr],
    [3, '❌ The expiration must be a time in the future. Choose a later date.\n'],
  );
  const role = await cli.run(['service-token', 'create', '-n', 'x', '--roles', 'king']);
  assert.equal(role.code, 3);
  assert.match(role.stderr, /^❌ unknown role "king": the roles are admin, key-manager, /);
});

test('--file writes the bare key to a new file that only its owner reads, and shows it nowhere', async (t) => {
  const cli = home(t);
  const file = cli.at('ci.key');
  const created = await cli.run(['ingestion-api-key', 'create', '--name', 'ci', '--file', file]);
  assert.deepEqual(created, {
    code: 0,
    stdout: `✅ Ingestion API Key generated, and written to ${file}\n`,
    stderr: '',
  });
  assert.equal(checkKeyText(readFileSync(file, 'utf8')), 'ok');
  assert.equal(statSync(file).mode & 0o777, 0o600);

  const token = await cli.run([
    'service-token',
    'create',
    '-n',
    't',
    '--roles',
    'viewer',
    '--file',
    cli.at('t'),
    '-o',
    'json',
  ]);
  const shown = (JSON.parse(token.stdout) as { 'service-token': object })['service-token'];
  assert.deepEqual(Object.keys(shown), ['file', 'id', 'lastUpdateTimestamp', 'name', 'roles']);
});

test('a file that cannot be made is exit code 6, and no key is made either', async (t) => {
  const cli = home(t);
  writeFileSync(cli.at('taken'), 'precious');
  symlinkSync(cli.at('target'), cli.at('link'));
  const create = (file: string) => cli.run(['ingestion-api-key', 'create', '--name', 'ci', '--file', file]);
  for (const name of ['taken', 'link']) {
    assert.deepEqual(await create(cli.at(name)), {
      code: 6,
      stdout: '',
      stderr: `❌ cannot write to file ${cli.at(name)} (it is there already, and is never overwritten)\n`,
    });
  }
  const nowhere = await create(cli.at('no/such/folder'));
  assert.equal(nowhere.code, 6);
  assert.match(nowhere.stderr, /^❌ cannot write to file .*ENOENT/);
  assert.equal(readFileSync(cli.at('taken'), 'utf8'), 'precious');
  assert.equal(existsSync(cli.at('target')), false);
  assert.equal((await cli.run(LIST)).stdout, 'No ingestion api keys found.\n');
});

test('a refused key leaves no file behind', async (t) => {
  const cli = home(t);
  const args = [
    'ingestion-api-key',
    'create',
    '--name',
    'old',
    '--expiration',
    '2020-01-01',
    '--file',
    cli.at('old.key'),
  ];
  assert.equal((await cli.run(args)).code, 3);
  assert.equal(existsSync(cli.at('old.key')), false);
});

test('on a terminal the key and the header are coloured; without colour nothing is', async (t) => {
  const cli = home(t);
  const tell = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> => {
    let said = '';
    const stdout = { write: (text: string) => (said += text), isTTY: true, columns: 200 };
    const stderr = { write: () => assert.fail('nothing should go wrong') };
    await run(argv, { stdout, stderr, env: { KEYGATE_STORE_SQLITE_PATH: cli.at('keys.db'), ...env } });
    return said.replaceAll('\u{1b}', 'ESC');
  };
  const create = ['ingestion-api-key', 'create', '--name'];
  assert.match(
    await tell([...create, 'a']),
    /^✅ Ingestion API Key generated: ESC\[37miapikeyok-[0-9A-Za-z]{38}ESC\[0m\n\n$/,
  );
  assert.match(await tell(LIST), /^ESC\[36mID +\| NAME \| EXPIRATION \| DESCRIPTIONESC\[0m\n[0-9]+ /);
  assert.match(
    await tell([...create, 'b'], { NO_COLOR: '' }),
    /^\[SUCCESS\] Ingestion API Key generated: iapikeyok-\w+\n\n$/,
  );
  assert.match(await tell(LIST, { TERM: 'dumb' }), /^ID /);
});

test('the configuration file says where the store is, and its faults are all named', async (t) => {
  const cli = home(t);
  writeFileSync(cli.at('good.yaml'), `store:\n  sqlite:\n    path: ${cli.at('other.db')}\n`);
  writeFileSync(cli.at('bad.yaml'), 'store:\n  sqlite:\n    path: 7\nlimitz: {}\n');
  const env = { KEYGATE_STORE_SQLITE_PATH: '' };
  const good = await cli.run([...LIST, '--config', cli.at('good.yaml'), '-v'], env);
  assert.deepEqual(good, {
    code: 0,
    stdout: 'No ingestion api keys found.\n',
    stderr: `keygate: using the key store in ${cli.at('other.db')} directly\n`,
  });
  const bad = await cli.run(LIST, { ...env, KEYGATE_CONFIG: cli.at('bad.yaml') });
  assert.equal(bad.code, 3);
  assert.match(bad.stderr, /^❌ The configuration has 2 faults:\n/);
  assert.match(bad.stderr, /limitz/);
});

test('a store that cannot be used is exit code 4', async (t) => {
  const cli = home(t);
  const { code, stdout, stderr } = await cli.spawn(LIST, {
    KEYGATE_STORE_SQLITE_PATH: '',
    KEYGATE_STORE_REDIS_URL: 'redis://127.0.0.1:1',
  });
  assert.deepEqual([code, stdout], [4, '']);
  assert.match(stderr, /^❌ .*ECONNREFUSED/);
});

test('the record says who made the key, and never holds the key', async (t) => {
  const cli = home(t);
  const { stdout } = await cli.run(['ingestion-api-key', 'create', '--name', 'ci']);
  const [, key = ''] = KEY.exec(stdout) ?? [];
  const store = openStore({ redis: null, sqlite: { path: cli.at('keys.db') } });
  const [record] = await store.list('ingestion');
  await store.close();
  assert.equal(record?.createdBy, `cli:${userInfo().username}`);
  assert.ok(!readFileSync(cli.at('keys.db')).includes(key));
});

test('output that nobody reads to its end is no fault', async () => {
  const keygate = join(import.meta.dirname, '../../bin/keygate');
  const child = spawn('sh', ['-c', `'${keygate}' help | head -c 1`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  await once(child, 'close');
  assert.equal(said, 'K');
});
