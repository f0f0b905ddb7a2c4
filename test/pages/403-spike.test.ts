import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKeyText } from '../../src/credential/key-text.ts';
import { debianProgram } from '../conformance/toolchain.ts';
import { follow, textOf, toRun } from '../support/runbook.ts';
import type { Shell } from '../support/runbook.ts';
import { until } from '../support/wait.ts';
import { aDirectory, openPlace } from './place.ts';
import type { MadeKey } from './place.ts';

for (const program of ['curl', 'jq']) debianProgram(program);

const page = 'docs/403-spike.md';
const LIFE_MS = 1_500;

test('docs/403-spike.md: it is found out who is refused and why, and each who can be helped is', async (t) => {
  const place = await openPlace(t, { sqlite: { path: join(aDirectory(t), 'keys.db') } });
  const token = await place.createToken('admin');
  const logFile = join(aDirectory(t), 'log');
  async function shellFor({ id }: MadeKey, owner = ''): Promise<Shell> {
    const shell = place.shell({
      names: [
        [/\bID\b/g, id],
        [/\bOWNER\b/g, owner],
      ],
      programs: { kubectl: `test "$1" = logs && exec cat ${logFile}` },
    });
    writeFileSync(join(shell.directory, 'ops.token'), token, { mode: 0o600 });
    writeFileSync(join(shell.directory, 'sender.key'), createKeyText('ingestion'), { mode: 0o600 });
    const [connect] = toRun({ page });
    assert.equal((await shell.run(connect?.text ?? '')).code, 0);
    return shell;
  }

  // Somebody deletes a key that is in use, and does worse.
  const [payments, disabled, limited, locked] = await Promise.all([
    place.createKey('payments'),
    place.createKey('checkout'),
    place.createKey('edge', '--cidr', '10.0.0.0/8'),
    (async () => {
      const made = await place.cli('service-id', 'create', '--name', 'shop', '-o', 'json');
      const [, owner = ''] = /"id": "?(\d+)/.exec(made) ?? [];
      return { owner, ...(await place.createKey('shop-eu', '--owner', 'shop')) };
    })(),
  ]);
  const expired = await expiringKey(place.keygate.addresses.admin, token);
  for (const { key } of [payments, disabled, locked]) assert.equal(await place.statusOf(key), 0);
  await place.cli('ingestion-api-key', 'delete', '--id', payments.id, '--force');
  await place.cli('ingestion-api-key', 'disable', '--id', disabled.id);
  await place.cli('service-id', 'lock', '--id', locked.owner);
  await until('the short-lived key has died', async () => (await place.statusOf(expired.key)) === 7, 5_000);
  for (const { key } of [payments, disabled, limited, locked])
    await until('it is refused', async () => (await place.statusOf(key)) === 7);
  for (let n = 0; n < 5; n++) assert.equal(await place.statusOf(payments.key, 'payments/2.0'), 7);
  writeFileSync(logFile, textOf(place.keygate.log()));

  const shell = await shellFor(payments);
  const [who = '', metrics = ''] = await follow(shell, { page, heading: '1. Who is it?' });
  assert.match(who.split('\n').slice(4, 9).join('\n'), /revoked_key.*payments .* s ago/);
  assert.match(metrics, new RegExp(`reason="revoked_key",.*key_id="${payments.id}".*worked="true"`));
  const [why = '', logged = ''] = await follow(shell, { page, heading: '2. Why?' });
  assert.match(why, /revoked_key/);
  assert.match(logged, /"key_name":"payments","request_id":"/);
  assert.match((await follow(shell, { page, heading: '3. Who did that?' })).join(''), /revoked/);

  for (const [heading, made, owner] of [
    ['disabled_key', disabled],
    ['owner_locked', locked, locked.owner],
    ['signal_not_allowed, address_not_allowed', limited],
  ] as const) {
    await follow(await shellFor(made, owner), { page, heading });
    await until(`${heading} is mended`, async () => (await place.statusOf(made.key)) === 0);
  }
  await follow(shell, { page, heading: 'revoked_key, expired_key' });
  const guess = await follow(shell, {
    page,
    heading: 'unknown_key, bad_checksum, malformed_credential, missing_credential',
  });
  assert.match(guess.join(''), /unknown_key/);
  await follow(shell, { page, heading: '5. Is it over?' });

  const headings = new Set(toRun({ page }).map(({ heading }) => heading));
  assert.equal(headings.size, 10, 'this test follows every section that has something to run');
});

/** Its life is shorter than a day, which the command line cannot say. */
async function expiringKey(admin: string, token: string): Promise<MadeKey> {
  const response = await fetch(`http://${admin}/api/security/ingestion/api_keys`, {
    method: 'POST',
    headers: { 'x-api-key': token, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'short', expiration: Date.now() + LIFE_MS }),
  });
  const { id, apiKey } = (await response.json()) as { id: number; apiKey: string };
  return { id: String(id), key: apiKey };
}
