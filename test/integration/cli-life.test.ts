import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { checkKeyText } from '../../src/credential/key-text.ts';
import { commandsThrough } from '../support/commands.ts';
import type { Commands, Through } from '../support/commands.ts';
import type { CliResult } from '../support/run-cli.ts';

const KEYS = 'ingestion-api-key';
const TIME = /[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC/g;
const USER = `cli:${userInfo().username}`;

interface Cli extends Commands {
  /** Makes a key and returns its id. */
  create(...args: string[]): Promise<string>;
}

async function setUp(t: TestContext, through: Through = 'store'): Promise<Cli> {
  const { at, run } = await commandsThrough(t, through);
  return {
    at,
    run,
    async create(...args) {
      const { stdout } = await run(KEYS, 'create', ...args, '-o', 'json');
      return String((JSON.parse(stdout) as Record<string, { id: number }>)[KEYS]?.id);
    },
  };
}

const done = (stdout: string): CliResult => ({ code: 0, stdout, stderr: '' });
const refused = (code: number, stderr: string): CliResult => ({ code, stdout: '', stderr: `❌ ${stderr}\n` });

/** A table without its first column, whose ids and width differ from run to run. */
const withoutIds = ({ stdout }: CliResult): string[] =>
  stdout.split('\n').map((line) => line.replace(/^[0-9ID]+ *\| /, ''));

for (const through of ['store', 'admin API'] as const) {
  test(`a key is rotated, disabled, enabled, changed and described through the ${through}`, async (t) => {
    const { run, create } = await setUp(t, through);
    const id = await create('--name', 'shop', '--description', 'Berlin', '--expiration', '2090-01-01');
    assert.deepEqual(await run(KEYS, 'disable', '--id', id), done(`✅ Ingestion Api Key disabled: ${id}\n`));
    assert.deepEqual(await run(KEYS, 'enable', id), done(`✅ Ingestion Api Key enabled: ${id}\n`));
    const update = [KEYS, 'update', '--id', id, '--description', 'Bonn', '--expiration', 'none'];
    assert.deepEqual(await run(...update), done(`✅ Ingestion Api Key updated: ${id}\n`));

    const rotated = await run(KEYS, 'rotate', '--id', id, '--grace', '2h');
    assert.match(
      rotated.stdout.replaceAll(TIME, 'TIME'),
      new RegExp(
        `^✅ Ingestion Api Key rotated: iapikeyok-\\w{38}\\n\\nThe old one \\(${id}\\) works until TIME\\.\\n$`,
      ),
    );
    assert.deepEqual([rotated.code, rotated.stderr], [0, '']);

    const { stdout } = await run(KEYS, 'describe', id);
    const [, by = '', successor = ''] = /Created: {5}[^b]*by (.*)[^]*Replaced by: ([0-9]+)/.exec(stdout) ?? [];
    assert.equal(
      stdout.replaceAll(TIME, 'TIME'),
      `ID:          ${id}\nName:        shop\nState:       retiring\nDescription: Bonn\n` +
        `Created:     TIME by ${by}\nExpiration:  TIME\nReplaced by: ${successor}\nRetires:     TIME\nLast used:   never\n`,
    );
    assert.match(by, through === 'store' ? new RegExp(`^${USER}$`) : /^root \([0-9]+\)$/);
    assert.deepEqual(withoutIds(await run(KEYS, 'list', '--all', '--name', 'SH*', '--sort', 'expiration')), [
      'NAME | STATE    | LAST USED | EXPIRATION | DESCRIPTION',
      `shop | retiring | never     | ${/Expiration: {2}([-0-9]+)/.exec(stdout)?.[1]} | Bonn       `,
      'shop | active   | never     |            | Bonn       ',
      '',
    ]);

    const audit = await run('audit', 'list', '--key', id, '-o', 'json');
    const { audit: entries } = JSON.parse(audit.stdout) as { audit: { action: string; via: string; actor: string }[] };
    assert.deepEqual(
      entries.map(({ action, via, actor }) => [action, via, actor]),
      ['rotated', 'updated', 'enabled', 'disabled', 'created'].map((action) => [
        action,
        through === 'store' ? 'cli' : 'admin-api',
        by,
      ]),
    );
    const again = await run(KEYS, 'rotate', id);
    assert.equal(again.code, 3);
    assert.match(
      again.stderr,
      new RegExp(`The ingestion API key ${id} was replaced by ${successor}\\s+already\\. Rotate`),
    );
    assert.equal((await run(KEYS, 'disable', '1')).code, 8);
  });

  test(`a service token is rotated at once, disabled and described through the ${through}`, async (t) => {
    const { run } = await setUp(t, through);
    const made = await run('service-token', 'create', '-n', 'ci', '--roles', 'viewer', '-o', 'json');
    const id = String((JSON.parse(made.stdout) as Record<string, { id: number }>)['service-token']?.id);
    const rotated = await run(
      'service-token',
      'rotate',
      '--id',
      id,
      '--now',
      '--expiration',
      '2090-01-01',
      '-o',
      'json',
    );
    const { 'service-token': token } = JSON.parse(rotated.stdout) as { 'service-token': Record<string, unknown> };
    const { token: text, predecessor, ...rest } = token;
    assert.equal(checkKeyText(String(text)), 'ok');
    assert.deepEqual(Object.keys(rest), ['expiration', 'id', 'lastUpdateTimestamp', 'name', 'roles']);
    assert.equal((predecessor as { state: string }).state, 'revoked');
    const newId = String(token['id']);
    assert.deepEqual(await run('service-token', 'disable', newId), done(`✅ Service token disabled: ${newId}\n`));
    const { stdout } = await run('service-token', 'describe', '--id', newId);
    assert.match(stdout, /^ID: {10}[0-9]+\nName: {8}ci\nState: {7}disabled\nRoles: {7}viewer\nCreated: /);
    const listed = await run('service-token', 'list', '--all', '--name', 'ci', '--limit', '1', '-o', 'json');
    assert.equal((JSON.parse(listed.stdout) as { 'service-tokens': unknown[] })['service-tokens'].length, 1);
  });
}

test('a rotated key goes to a file when one is named, and the old one can be refused at once', async (t) => {
  const { run, create, at } = await setUp(t);
  const id = await create('--name', 'shop');
  const rotated = await run(KEYS, 'rotate', id, '--now', '--file', at('new.key'));
  assert.deepEqual(
    rotated,
    done(
      `✅ Ingestion Api Key rotated, and written to ${at('new.key')}\nThe old one (${id}) is refused from now on.\n`,
    ),
  );
  assert.equal(checkKeyText(readFileSync(at('new.key'), 'utf8')), 'ok');
});

test('a list is paged, and the plain one is as it always was', async (t) => {
  const { run, create } = await setUp(t);
  for (const name of ['b', 'a', 'c']) await create('--name', name);
  const page = (number: string) => run(KEYS, 'list', '--limit', '2', '--page', number);
  const head = 'NAME | EXPIRATION | DESCRIPTION';
  const row = (name: string) => `${name}    |            | -          `;
  assert.deepEqual(withoutIds(await page('1')), [head, row('a'), row('b'), '']);
  assert.deepEqual(withoutIds(await page('2')), [head, row('c'), '']);
  assert.deepEqual(await page('3'), done('No ingestion api keys found.\n'));
  assert.deepEqual(withoutIds(await run(KEYS, 'list')), [head, row('a'), row('b'), row('c'), '']);
});

test('the audit log is a table of the latest changes, in words', async (t) => {
  const { run, create } = await setUp(t);
  assert.deepEqual(await run('audit', 'list'), done('No changes found.\n'));
  const id = await create('--name', 'shop');
  await run(KEYS, 'update', id, '--description', 'x');
  await run(KEYS, 'delete', id);
  const { stdout } = await run('audit', 'list', '--limit', '2');
  assert.deepEqual(
    stdout
      .replaceAll(TIME, 'TIME')
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim())),
    [
      ['TIME', 'CHANGE', 'ID', 'NAME', 'ACTOR', 'FROM', 'DETAILS'],
      ['TIME', 'ingestion-api-key revoked', id, 'shop', USER, 'cli', 'state: active -> revoked'],
      ['TIME', 'ingestion-api-key updated', id, 'shop', USER, 'cli', 'description: - -> x'],
      [''],
    ],
  );
});

test('faulty flags are refused with exit code 3, each in its own words', async (t) => {
  const { run } = await setUp(t);
  const cases: [string[], string][] = [
    [[KEYS, 'rotate', '1', '--now', '--grace', '1h'], '--now and --grace exclude each other'],
    [
      [KEYS, 'rotate', '1', '--grace', '5'],
      'invalid argument "5" for "--grace" flag: it must be a number with its unit, s, m, h or d, such as 24h',
    ],
    [[KEYS, 'update', '1'], 'nothing to change: give --description, --expiration, or what the key is to be limited to'],
    [[KEYS, 'list', '--page', '2'], '--page needs --limit, which says how many a page has'],
    [[KEYS, 'list', '--limit', '0'], 'invalid argument "0" for "--limit" flag: it must be a number from 1 to 999999'],
    [
      ['audit', 'list', '--key', 'x'],
      'invalid argument "x" for "--key" flag: it must be the number that the list shows',
    ],
    [
      ['audit', 'list', '--before', 'x'],
      'invalid argument "x" for "--before" flag: it must be the cursor of an entry, which -o json shows',
    ],
    [[KEYS, 'disable'], 'required flag(s) "id" not set'],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await run(...args);
    assert.deepEqual({ code, stderr }, { code: 3, stderr: `❌ ${message}\n` });
  }
  assert.deepEqual(
    await run(KEYS, 'rotate', '12', '--grace', '366d'),
    refused(
      3,
      'The grace must be from 0 to 365 days. Choose another one, or delete the old key when it is not needed any more.',
    ),
  );
});
