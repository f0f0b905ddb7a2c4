import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { startAdmin } from '../support/admin-server.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';

const KEYS = '/api/security/ingestion/api_keys';
const TOKENS = '/api/security/tokens';
const SERVICE_IDS = '/api/security/service_ids';

/** The admin API and the command line on one store, in which keys can be used. */
async function setUp(t: TestContext) {
  const home = createCliHome();
  t.after(() => home.remove());
  const path = home.at('keys.db');
  const admin = await startAdmin({ path });
  admin.setNow(Date.now());
  const store = createSqliteStore({ path });
  t.after(async () => {
    await store.close();
    await admin.close();
  });
  const token = await admin.tokenFor(['admin'], 'root');
  const idOf = (json: unknown) => String((json as { id: number }).id);
  return {
    call: (method: string, at: string, body?: unknown) =>
      admin.request(method, at, { token, ...(body !== undefined && { body }) }),
    local: (...args: string[]) => runHere(args, { KEYGATE_STORE_SQLITE_PATH: path }),
    remote: (...args: string[]) => runHere(args, { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: token }),
    async create(at: string, body: object) {
      return idOf((await admin.request('POST', at, { token, body })).json);
    },
    async use(id: string) {
      const sources = [{ address: '10.1.2.3', lastUsedAt: Date.now() - 61_000 }];
      await store.usage.record([{ id, lastUsedAt: Date.now() - 61_000, requests: 1, bytes: 1, sources }]);
    },
  };
}

test('the admin API deletes what is in use, but not with force=false; owners of such keys only with force=true', async (t) => {
  const { call, create, use } = await setUp(t);
  const owner = await create(SERVICE_IDS, { name: 'checkout' });
  const key = await create(KEYS, { name: 'k', owner });
  const token = await create(TOKENS, { name: 't', roles: ['viewer'] });
  await use(key);
  await use(token);
  const cases = [
    [
      `${KEYS}/${key}`,
      /^The ingestion API key [0-9]+ was used 1 minute ago by 1 source \(10\.1\.2\.3\)\. .*force=true/,
      204,
    ],
    [`${TOKENS}/${token}`, /^The service token [0-9]+ was used 1 minute ago/, 204],
    [`${SERVICE_IDS}/${owner}`, /^1 of its 1 keys was used within the last hour\. Lock it first/, 200],
  ] as const;
  for (const [path, message, status] of cases.toReversed()) {
    const isOwner = path.startsWith(SERVICE_IDS);
    const refused = await call('DELETE', isOwner ? path : `${path}?force=false`);
    const [error] = (refused.json as { errors: { message: string }[] }).errors;
    assert.equal(refused.status, 409);
    assert.match(refused.text, /"_type":"InUse"/);
    assert.match(error?.message ?? '', message);
    assert.equal((await call('DELETE', `${path}?force=perhaps`)).status, 400);
    // StackState's clients know of no force.
    assert.equal((await call('DELETE', isOwner ? `${path}?force=true` : path)).status, status);
  }
});

for (const through of ['local', 'remote'] as const) {
  test(`the command deletes what is in use only with --force, ${through}`, async (t) => {
    const { [through]: run, create, use } = await setUp(t);
    const owner = await create(SERVICE_IDS, { name: 'checkout' });
    const key = await create(KEYS, { name: 'k', owner });
    await use(key);
    const refused = await run('ingestion-api-key', 'delete', key);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /was used 1 minute ago[^]*--force/);
    const locked = await run('service-id', 'lock', owner, '--wait');
    assert.equal(locked.code, 0);
    assert.match(locked.stdout, /1 key is refused until it is unlocked\. Used within the last hour: 1\.\n/);
    assert.match(locked.stdout, /No gateway is live: it holds for each that starts from now on\.\n$/);
    const unlocked = await run('service-id', 'unlock', owner, '--wait=2s', '-o', 'json');
    const { propagation } = (JSON.parse(unlocked.stdout) as { 'service-id': { propagation: unknown } })['service-id'];
    assert.deepEqual(propagation, { complete: true, replicas: [] });
    const kept = await run('service-id', 'delete', owner);
    assert.equal(kept.code, 3);
    assert.match(kept.stderr, /1 of its 1 keys was used within the last hour\. Lock it first/);
    assert.equal((await run('service-id', 'delete', owner, '--force', '--wait')).code, 0);
    assert.equal((await run('ingestion-api-key', 'delete', key, '--force')).code, 0);
  });
}
