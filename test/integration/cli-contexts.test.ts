import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { parse } from 'yaml';
import { startAdmin } from '../support/admin-server.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';

/** Two gateways, each with a token, and a user who has no contexts yet. */
async function setUp(t: TestContext) {
  const cli = createCliHome();
  const [blue, green] = [await startAdmin({ path: cli.at('blue.db') }), await startAdmin({ path: cli.at('green.db') })];
  t.after(async () => {
    await blue.close();
    await green.close();
    cli.remove();
  });
  const tokens = { blue: await blue.tokenFor(['admin'], 'ops'), green: await green.tokenFor(['admin'], 'ops') };
  const file = cli.at('.config/keygate/contexts.yaml');
  const surroundings = { HOME: cli.directory, KEYGATE_STORE_SQLITE_PATH: cli.at('local.db') };
  const as = (env: Readonly<Record<string, string>>, ...args: string[]) => runHere(args, { ...surroundings, ...env });
  const run = (...args: string[]) => as({}, ...args);
  const save = (name: 'blue' | 'green', ...more: string[]) => {
    const { url } = { blue, green }[name];
    return as({ KEYGATE_SERVICE_TOKEN: tokens[name] }, 'context', 'save', '--name', name, '--url', url, ...more);
  };
  return { cli, blue, green, tokens, file, as, run, save };
}

test('a context is tried out, saved for its owner alone, and used from then on', async (t) => {
  const { blue, tokens, file, run, save } = await setUp(t);
  const saved = await save('blue');
  assert.equal(saved.code, 0);
  assert.match(
    saved.stdout,
    /^✅ Connection verified to http:\S+ \(Keygate version: [0-9.]+\)\n✅ Saved context: 'blue'\n$/,
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(file)).mode & 0o777, 0o700);
  assert.deepEqual(parse(readFileSync(file, 'utf8')), {
    contexts: [{ name: 'blue', context: { url: blue.url, 'service-token': tokens.blue } }],
    'current-context': 'blue',
  });

  assert.equal((await run('ingestion-api-key', 'create', '--name', 'ci')).code, 0);
  assert.deepEqual(
    (await blue.service.list('ingestion')).map(({ name }) => name),
    ['ci'],
  );
  const told = await run('ingestion-api-key', 'list', '--verbose');
  assert.match(told.stderr, new RegExp(`using the admin API at ${blue.url}`));
});

test('contexts are listed, shown, switched and deleted, and their tokens are in no output', async (t) => {
  const { blue, green, tokens, run, save } = await setUp(t);
  const outputs = [await run('context', 'list')];
  assert.equal(outputs[0]?.stdout, 'No contexts found.\n');
  outputs.push(await save('blue'), await save('green', '-o', 'json'));
  assert.deepEqual(JSON.parse(outputs.at(-1)?.stdout ?? ''), {
    'current-context': 'green',
    context: { url: green.url },
  });

  const list = await run('context', 'list');
  const width = green.url.length;
  assert.equal(
    list.stdout,
    `NAME  | ${'URL'.padEnd(width)} | CURRENT\nblue  | ${blue.url.padEnd(width)} |        \ngreen | ${green.url} | *      \n`,
  );
  const json = await run('context', 'list', '-o', 'json');
  assert.deepEqual(JSON.parse(json.stdout), {
    contexts: [
      { name: 'blue', context: { url: blue.url } },
      { name: 'green', context: { url: green.url } },
    ],
    'current-context': 'green',
  });

  outputs.push(list, json, await run('context', 'show'), await run('context', 'set', 'blue'));
  assert.deepEqual(
    outputs.slice(-2).map(({ stdout }) => stdout),
    ['green\n', 'Current context set to blue\n'],
  );
  assert.equal(
    (await run('context', 'set', '--name', 'green', '-o', 'json')).stdout,
    '{\n  "current-context": "green"\n}\n',
  );
  const current = await run('context', 'delete', '--name', 'green');
  assert.deepEqual([current.code, current.stderr], [3, '❌ cannot delete the current context (green)\n']);
  const unknown = await run('context', 'delete', '--name', 'red');
  assert.deepEqual([unknown.code, unknown.stderr], [8, "❌ Context with name 'red' not found\n"]);
  const deleted = await run('context', 'delete', 'blue');
  assert.equal(deleted.stdout, "✅ Deleted context 'blue'\n");
  assert.equal((await run('context', 'set', 'blue')).code, 8);
  outputs.push(current, unknown, deleted, await run('context', 'show', '-o', 'json'));
  for (const { stdout, stderr } of outputs)
    for (const token of Object.values(tokens)) assert.ok(!`${stdout}${stderr}`.includes(token));
});

test('a context is tried out whenever that is wanted, and none is saved that does not work', async (t) => {
  const { blue, file, as, run, save } = await setUp(t);
  const wrong = { KEYGATE_SERVICE_TOKEN: 'svctok-wrong' };
  const refused = await as(wrong, 'context', 'save', '--url', blue.url);
  assert.deepEqual([refused.code, existsSync(file)], [4, false]);
  assert.match(refused.stderr, /could not connect to http:/);
  const away = await as(wrong, 'context', 'save', '--url', 'http://127.0.0.1:1');
  assert.deepEqual([away.code, existsSync(file)], [4, false]);
  for (const args of [
    ['--url', 'gateway:7070'],
    [],
    ['--name', 'none', '--url', blue.url],
    ['--name', 'a b', '--url', blue.url],
  ])
    assert.equal((await as(wrong, 'context', 'save', ...args)).code, 3, args.join(' '));
  assert.equal(existsSync(file), false);

  assert.equal((await as(wrong, 'context', 'save', '--url', blue.url, '--skip-validate')).code, 0);
  assert.equal((await run('context', 'validate')).code, 4);
  await save('blue');
  const valid = await run('context', 'validate', '-o', 'json');
  const { connected, context, 'server-info': info } = JSON.parse(valid.stdout) as Record<string, unknown>;
  assert.deepEqual([connected, context, typeof info], [true, 'blue', 'object']);
  assert.match((await run('context', 'validate', '--name', 'blue')).stdout, /✅ Context blue is valid\.\n$/);
  assert.equal((await run('context', 'validate', 'default')).code, 4);
});

test('flags go before variables, and these before the current context; a URL never gets the token of another place', async (t) => {
  const { blue, green, tokens, as, run, save } = await setUp(t);
  const nothing = await run('context', 'show');
  assert.equal(nothing.code, 8);
  await save('blue');
  await save('green');
  const create = async (env: Readonly<Record<string, string>>, ...flags: string[]) => {
    const before = [await names(blue), await names(green)];
    const { code } = await as(env, 'ingestion-api-key', 'create', '--name', `k${performance.now()}`, ...flags);
    const after = [await names(blue), await names(green)];
    const where = ['blue', 'green'].find((_, i) => (after[i] ?? 0) > (before[i] ?? 0));
    return code === 0 ? (where ?? 'here') : code;
  };
  const names = async ({ service }: typeof blue) => (await service.list('ingestion')).length;
  const blueVariables = { KEYGATE_URL: blue.url, KEYGATE_SERVICE_TOKEN: tokens.blue };

  assert.deepEqual(
    [
      await create({}),
      await create({}, '--context', 'blue'),
      await create({}, '-c', 'none'),
      await create({ KEYGATE_CONTEXT: 'blue' }),
      await create({ KEYGATE_CONTEXT: 'blue' }, '--context', 'green'),
      await create(blueVariables),
      await create(blueVariables, '--context', 'green'),
      await create({}, '--url', blue.url, '--service-token', tokens.blue),
      await create({ KEYGATE_CONTEXT: 'green' }, '--url', blue.url, '--service-token', tokens.blue),
    ],
    ['green', 'blue', 'here', 'blue', 'green', 'blue', 'green', 'blue', 3],
  );
  assert.deepEqual(
    [
      await create({}, '--url', blue.url),
      await create({}, '--service-token', tokens.blue),
      await create({}, '--context', 'blue', '--url', green.url),
      await create({ ...blueVariables, KEYGATE_CONTEXT: 'green' }),
      await create({}, '--context', 'red'),
    ],
    [3, 3, 3, 3, 8],
  );
  await run('context', 'set', 'none');
  assert.equal(await create({}), 'here');
});

test('the file of the contexts is written whole, keeps what others wrote into it, and is told when it cannot be used', async (t) => {
  const { cli, as, save, file } = await setUp(t);
  await save('blue');
  writeFileSync(file, readFileSync(file, 'utf8').replace('context:\n', 'context:\n      note: mine\n'));
  chmodSync(file, 0o644);
  await save('green');
  assert.match(readFileSync(file, 'utf8'), /note: mine/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(file)), ['contexts.yaml']);

  const link = cli.at('linked.yaml');
  symlinkSync(file, link);
  const linked = { KEYGATE_CONTEXTS: link };
  assert.equal((await as(linked, 'context', 'set', 'blue')).code, 0);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.match(readFileSync(file, 'utf8'), /current-context: blue/);

  for (const [text, fault] of [
    ['contexts: 1', /contexts: .*expected array/],
    ['contexts: [{name: x, context: {url: http://x}}]', /contexts\.0\.context\.service-token: /],
    ['a: [', /cannot read file/],
  ] as const) {
    writeFileSync(file, text);
    const { code, stderr } = await as({}, 'ingestion-api-key', 'list');
    assert.equal(code, 5);
    assert.match(stderr, fault);
  }
  assert.equal((await as({ KEYGATE_CONTEXTS: `${file}/x.yaml` }, 'context', 'set', 'none')).code, 6);
  assert.equal((await as({ HOME: '' }, 'context', 'set', 'none')).code, 6);
});
