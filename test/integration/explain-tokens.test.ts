import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ShownAnswer } from '../../src/admin/explain.ts';
import type { Clock } from '../../src/clock.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { runHere } from '../support/run-cli.ts';

/** `keygate explain` of a token that a key was exchanged for. */

const SECRET = 'a-secret-of-32-characters-at-least';
const NEXT = 'the-next-secret-of-32-characters-or-more';
const CLI = { name: 'cli:test', via: 'cli' } as const;

interface Explained {
  readonly token?: { readonly keyId: string; readonly endsAtMs: number; readonly isVerified: boolean };
  readonly key?: ShownAnswer;
  readonly store?: ShownAnswer;
  readonly replicas: readonly { readonly name: string; readonly answer?: ShownAnswer }[];
}

/** Gateways with one store, each with a secret of its own or none; and a command line on that store. */
async function setUp(t: TestContext, secrets: Readonly<Record<string, string | null>>, clock?: Clock) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-explain-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'keygate.db');
  const gateways: Gateway[] = [];
  for (const [name, secret] of Object.entries(secrets)) {
    const upstream = { http: 'http://127.0.0.1:1' };
    const config = { upstream, store: { sqlite: { path } }, replica: { name }, keys: { tokens: { secret } } };
    gateways.push(await startGateway(t, config, clock));
  }
  const [gateway] = gateways;
  assert.ok(gateway !== undefined);
  const { text, id } = await gateway.createKey({ name: 'ci', signals: ['logs'] });
  const exchanged = await callHttp(gateway.httpUrl, {
    path: '/identity/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: text }).toString(),
  });
  const { access_token: token } = JSON.parse(exchanged.body.toString()) as { access_token: string };
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runHere(['explain', ...args], { KEYGATE_STORE_SQLITE_PATH: path, ...env });
  async function explain(args: readonly string[], env = { KEYGATE_KEYS_TOKENS_SECRET: SECRET }) {
    const { code, stdout, stderr } = await run([...args, '-o', 'json'], env);
    assert.equal(code, 0, stderr);
    assert.ok(!stdout.includes(token) && !stdout.includes(text));
    return (JSON.parse(stdout) as { explanation: Explained }).explanation;
  }
  return { gateway, id, token, run, explain };
}

function reasons({ replicas }: Explained): Record<string, string | undefined> {
  return Object.fromEntries(replicas.map(({ name, answer }) => [name, answer?.reason ?? answer?.verdict]));
}

test('a token is explained as its key is, by each gateway with the secrets that it has', async (t) => {
  const { gateway, id, token, run, explain } = await setUp(t, { one: SECRET, other: NEXT, none: null });
  const explained = await explain([token]);
  assert.deepEqual(reasons(explained), { one: 'allow', other: 'unknown_signer', none: 'unknown_key' });
  const other = explained.replicas.find(({ name }) => name === 'other')?.answer;
  assert.deepEqual([other?.level, other?.httpStatus, other?.keyId], ['configuration', 503, undefined]);
  assert.equal(explained.store?.keyId, id);
  const { endsAtMs = 0, ...told } = explained.token ?? {};
  assert.ok(endsAtMs > Date.now() && endsAtMs < Date.now() + 3_700_000);
  assert.partialDeepStrictEqual(told, { keyId: id, isVerified: true });

  const { stdout, stderr } = await run([token], { KEYGATE_KEYS_TOKENS_SECRET: SECRET });
  assert.match(stdout, /^other +\| configuration \|.* undecided: unknown_signer +\| 503 +\| 14/m);
  assert.match(stdout, new RegExp(`^The key is ci \\(${id}\\)\\.$`, 'm'));
  assert.match(stdout, /^The token stands for its key until [0-9-]+ [0-9:]+ UTC\.$/m);
  assert.match(stdout, /^unknown_signer: The token was signed with a secret that this gateway does not have/m);
  assert.equal(stderr, '');

  assert.equal(reasons(await explain([token, '--signal', 'traces']))['one'], 'signal_not_allowed');
  await gateway.app.keys.revoke('ingestion', id, CLI, { force: true });
  assert.equal((await explain([token])).store?.reason, 'revoked_key');
});

test('a token whose secret is not known here is looked for by the id that it says, and nobody claims to have verified it', async (t) => {
  const { id, token, run, explain } = await setUp(t, { one: SECRET });
  for (const env of [{}, { KEYGATE_KEYS_TOKENS_SECRET: NEXT }]) {
    const explained = await explain([token], env as { KEYGATE_KEYS_TOKENS_SECRET: string });
    assert.deepEqual([reasons(explained), explained.token?.isVerified], [{ one: 'allow' }, false]);
    assert.equal(explained.replicas[0]?.answer?.keyId, id);
    assert.match((await run([token], env)).stderr, /^The secret of this token \(keys\.tokens\) is not configured here/);
  }
});

test('a token that is not as it was signed is refused by everybody, and is not asked about', async (t) => {
  const { token, explain } = await setUp(t, { one: SECRET });
  const [head = '', claims = '', signature = ''] = token.split('.');
  const cut = `${head}.${claims}.${signature.slice(1)}`;
  const unreadable = `${head}.${claims.slice(1)}.${signature}`;
  for (const text of [cut, unreadable]) {
    const { key, replicas } = await explain([text]);
    assert.deepEqual([key?.reason, key?.httpStatus, replicas], ['bad_checksum', 403, []]);
  }
});

test('a token that is over is told by the clocks of the gateways, and whose it was', async (t) => {
  const clock: Clock = { now: () => Date.now() + aheadMs, elapsed: () => performance.now() };
  let aheadMs = 0;
  const { id, token, explain } = await setUp(t, { one: SECRET }, clock);
  aheadMs = 3_600_000;
  assert.equal(reasons(await explain([token]))['one'], 'allow', 'clocks differ');
  aheadMs = 3_661_000;
  const { replicas } = await explain([token]);
  assert.partialDeepStrictEqual(replicas[0]?.answer, { reason: 'expired_token', keyId: id, httpStatus: 403 });
});

test('the admin API explains a token by the digest of its key, or by its id to those who may see it', async (t) => {
  const { gateway, id, token, run } = await setUp(t, { one: SECRET });
  const { host, port } = gateway.addresses.admin;
  const url = `http://${host}:${port}`;
  const as = async (role: string, env: Record<string, string>) => {
    const { text } = await gateway.app.keys.create({ kind: 'service', name: role, roles: [role] }, CLI);
    return run([token, '--url', url, '--service-token', text], env);
  };
  const verified = await as('viewer', { KEYGATE_KEYS_TOKENS_SECRET: SECRET });
  assert.match(verified.stdout, new RegExp(`^one +\\|.* allow .*[^]*The key is ci \\(${id}\\)`, 'm'), verified.stderr);
  const claimed = await as('key-manager', {});
  assert.match(claimed.stdout, new RegExp(`The key is ci \\(${id}\\)`), claimed.stderr);
  const forbidden = await as('validator', {});
  assert.match(forbidden.stderr, /403/);
});
