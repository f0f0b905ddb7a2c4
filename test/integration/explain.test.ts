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
  assert.match(known.stdout, /\| store .*\| ci \([0-9]+\) \| 1 .*\| allow/);
  assert.ok(!known.stdout.includes(apiKey) && !known.stderr.includes(apiKey));
  const digits = await explain('1234567890123456\n');
  assert.deepEqual([digits.code, /unknown_key/.test(digits.stdout)], [0, true], digits.stderr);
  assert.match(
    (await explain('x'.repeat(600), 'x'.repeat(600))).stdout,
    /without asking anybody: malformed_credential/,
  );
  assert.match((await explain(' \n')).stderr, /no key was given/);
});
