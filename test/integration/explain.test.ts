import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startAdmin } from '../support/admin-server.ts';
import { runHere } from '../support/run-cli.ts';

function aDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-explain-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function* pipe(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('a key by its id is explained only to those who may see it in a list, and owners are no keys', async (t) => {
  const admin = await startAdmin({ path: join(aDirectory(t), 'keys.db') });
  t.after(() => admin.close());
  const by = { name: 'a test' };
  const token = await admin.service.create({ kind: 'service', name: 'root', roles: ['admin'] }, by);
  const key = await admin.service.create({ kind: 'ingestion', name: 'ci' }, by);
  const owner = await admin.service.createOwner({ kind: 'user', name: 'alice' }, by);
  const statusesFor = async (role: string) => {
    const caller = { token: await admin.tokenFor([role]) };
    const statuses: number[] = [];
    for (const { id } of [key.record, token.record, owner]) {
      const body = { id: Number(id) };
      statuses.push((await admin.request('POST', '/api/security/explain', { ...caller, body })).status);
    }
    return statuses;
  };
  assert.deepEqual(await statusesFor('key-manager'), [200, 404, 404]);
  assert.deepEqual(await statusesFor('viewer'), [200, 200, 404]);
  assert.deepEqual(await statusesFor('admin'), [200, 200, 404]);
  assert.deepEqual(await statusesFor('validator'), [403, 403, 403]);
});

test('a key that is piped in is hashed, be it made of digits, and never shown', async (t) => {
  const env = { KEYGATE_STORE_SQLITE_PATH: join(aDirectory(t), 'keys.db') };
  const explain = (...texts: string[]) => runHere(['explain', '-'], env, pipe(...texts));
  const created = await runHere(['ingestion-api-key', 'create', '--name', 'ci', '-o', 'json'], env);
  const { apiKey } = (JSON.parse(created.stdout) as Record<string, { apiKey: string }>)['ingestion-api-key'] ?? {};
  assert.ok(apiKey !== undefined);

  const known = await explain(apiKey.slice(0, 9), `${apiKey.slice(9)}\n`);
  assert.match(known.stdout, /\| store \| .*\| 1 .*\| allow [^]*\nThe key is ci \([0-9]+\)\.\n/);
  assert.ok(!known.stdout.includes(apiKey) && !known.stderr.includes(apiKey));
  const digits = await explain('1234567890123456\n');
  assert.deepEqual([digits.code, /unknown_key/.test(digits.stdout)], [0, true], digits.stderr);
  assert.match(
    (await explain('x'.repeat(600), 'x'.repeat(600))).stdout,
    /without asking anybody: malformed_credential/,
  );
  assert.match((await explain(' \n')).stderr, /no key was given/);
});

/** The command line on a store of its own. */
function setUp(t: TestContext) {
  const env = { KEYGATE_STORE_SQLITE_PATH: join(aDirectory(t), 'keys.db') };
  const cli = (line: string) => runHere(line.split(' '), env);
  const idOf = async (line: string) =>
    /"id": ([0-9]+)/.exec((await cli(`${line} -o json`)).stdout)?.[1] ?? assert.fail();
  const verdict = async (id: string, line: string) => {
    const { stdout, stderr } = await cli(`explain ${id}${line} -o json`);
    const { explanation } = JSON.parse(stdout || stderr) as { explanation: { store: Record<string, string> } };
    return explanation.store['reason'] ?? explanation.store['verdict'];
  };
  return { cli, idOf, verdict };
}

test('only what is asked about stands in the way of a key, and a service token is asked about managing', async (t) => {
  const { cli, idOf, verdict } = setUp(t);
  const page =
    'ingestion-api-key create --name page --type rum --cidr 10.0.0.0/8 --signals logs --origin https://a.example';
  const id = await idOf(page);
  const token = await idOf('service-token create --name ops --roles admin');
  for (const [line, expected] of [
    ['', 'allow'],
    [' --signal logs', 'allow'],
    [' --signal traces', 'signal_not_allowed'],
    [' --address 10.1.2.3', 'allow'],
    [' --address 10.1.2.3 --signal traces', 'signal_not_allowed'],
    [' --address 127.0.0.1', 'address_not_allowed'],
    [' --origin https://a.example', 'allow'],
    [' --origin https://b.example', 'origin_not_allowed'],
    [' --route otlp-grpc', 'route_not_allowed'],
    [' --route otlp-http', 'allow'],
    [' --route rum', 'signal_not_allowed'],
    [' --route grpc', 'route_not_allowed'],
  ] as const) {
    assert.equal(await verdict(id, line), expected, line);
  }
  for (const [change, expected] of [
    ['ingestion-api-key disable', 'disabled_key'],
    ['ingestion-api-key enable', 'allow'],
    ['ingestion-api-key delete', 'revoked_key'],
  ] as const) {
    await cli(`${change} ${id}`);
    assert.equal(await verdict(id, ''), expected, change);
  }
  assert.equal(await verdict(token, ''), 'allow');
  assert.equal(await verdict(token, ' --signal logs'), 'role_missing');
  assert.match((await cli(`explain ${id} --address home`)).stderr, /"home" for "--address".*must be an IP address/);
});

test('what its owner may do is told of a key too', async (t) => {
  const { cli, idOf, verdict } = setUp(t);
  const owner = await idOf('service-id create --name checkout');
  const id = await idOf('ingestion-api-key create --name owned --owner checkout');
  for (const [change, expected] of [
    ['describe', 'allow'],
    ['update --roles none --id', 'role_missing'],
    ['update --roles Sender --id', 'allow'],
    ['lock', 'owner_locked'],
    ['unlock', 'allow'],
    ['delete', 'owner_locked'],
  ] as const) {
    const { code, stderr } = await cli(`service-id ${change} ${owner}`);
    assert.equal(code, 0, stderr);
    assert.equal(await verdict(id, ' --signal logs'), expected, change);
  }
});
