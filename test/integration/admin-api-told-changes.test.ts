import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { StoreError } from '../../src/store/port.ts';
import type { KeyStore } from '../../src/store/port.ts';
import { startAdmin } from '../support/admin-server.ts';

const KEYS = '/api/security/ingestion/api_keys';
const OWNERS = '/api/security/service_ids';

async function away(): Promise<never> {
  throw new StoreError('unavailable', 'away');
}

/** Changes are made, and what is asked about them afterwards fails. */
function awayAfterwards(store: KeyStore): KeyStore {
  return { ...store, page: away, replicas: { ...store.replicas, changeOf: away } };
}

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-admin-'));
  const admin = await startAdmin({ path: join(directory, 'keys.db'), wrapStore: awayAfterwards });
  t.after(async () => {
    await admin.close();
    rmSync(directory, { recursive: true });
  });
  const token = await admin.tokenFor(['admin']);
  const call = async (method: string, path: string, body?: unknown) => {
    const { status, json } = await admin.request(method, path, { token, ...(body !== undefined && { body }) });
    assert.equal(status, 200, `${method} ${path}`);
    return json as Record<string, unknown>;
  };
  return { admin, call };
}

test('a store that goes away after a key was rotated does not take the new key along', async (t) => {
  const { call } = await setUp(t);
  const { id } = await call('POST', KEYS, { name: 'ci' });
  const { apiKey, predecessor } = await call('POST', `${KEYS}/${String(id)}/rotate?wait=50ms`, {});
  assert.match(String(apiKey), /^iapikeyok-/);
  assert.deepEqual((predecessor as Record<string, unknown>)['propagation'], { complete: false, replicas: [] });
});

test('a deletion that was made is told, though the store went away before anybody had confirmed it', async (t) => {
  const { admin, call } = await setUp(t);
  const { id } = await call('POST', KEYS, { name: 'ci' });
  assert.deepEqual(await call('DELETE', `${KEYS}/${String(id)}?wait=50ms`), { complete: false, replicas: [] });
  assert.equal(admin.audited.at(-1)?.action, 'revoked');
});

test('an owner that was locked is told to be, though its keys cannot be counted', async (t) => {
  const { call } = await setUp(t);
  const { id, keys } = await call('POST', OWNERS, { name: 'checkout' });
  assert.equal(keys, undefined);
  const { state } = await call('POST', `${OWNERS}/${String(id)}/lock`);
  assert.equal(state, 'locked');
});
