import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { until } from '../support/wait.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';

/** A gateway, and a view of its store from outside. */
async function setUp(t: TestContext, interval: string) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-usage-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'keygate.db');
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { http: collector.httpUrl },
    store: { sqlite: { path } },
    usage: { interval },
  });
  const store = createSqliteStore({ path });
  t.after(() => store.close());
  return {
    gateway,
    usageOf: async (id: string) => (await store.usage.read([id])).get(id),
    send: async (key: string, bytes = 10) => {
      const body = Buffer.alloc(bytes);
      return (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key }, body })).status;
    },
  };
}

test('requests that were taken count as the use of their key, with bytes and sender', async (t) => {
  const { gateway, usageOf, send } = await setUp(t, '100ms');
  const { text, id } = await gateway.createKey();
  const before = Date.now();
  assert.equal(await send(text, 100), 200);
  assert.equal(await send(text, 20), 200);
  await until('both are written', async () => (await usageOf(id))?.requests === 2);
  const { lastUsedAt = 0, requests, bytes, sources } = (await usageOf(id)) ?? {};
  assert.ok(lastUsedAt >= before && lastUsedAt <= Date.now());
  assert.deepEqual([requests, bytes, sources], [2, 120, [{ address: '127.0.0.1', lastUsedAt }]]);
  assert.ok((await gateway.metric('keygate_usage_writes_total', { outcome: 'ok' })) >= 1);
});

test('what was refused is no use', async (t) => {
  const { gateway, usageOf, send } = await setUp(t, '100ms');
  const { text, id } = await gateway.createKey({ signals: ['metrics'] });
  const other = await gateway.createKey();
  assert.equal(await send(text), 403);
  assert.equal(await send(other.text), 200);
  await until('the other is written', async () => (await usageOf(other.id)) !== undefined);
  assert.equal(await usageOf(id), undefined);
});

test('a service token is used by each call of the admin API', async (t) => {
  const { gateway, usageOf } = await setUp(t, '100ms');
  const { text, id } = await gateway.createKey({ kind: 'service', roles: ['viewer'] });
  const url = `http://127.0.0.1:${gateway.addresses.admin.port}/api/server/info`;
  assert.equal((await fetch(url, { headers: { 'x-api-key': text } })).status, 200);
  await until('it is written', async () => (await usageOf(id))?.requests === 1);
});

test('what was not written yet is written before the gateway ends', async (t) => {
  const { gateway, usageOf, send } = await setUp(t, '10m');
  const { text, id } = await gateway.createKey();
  await send(text);
  assert.equal(await usageOf(id), undefined);
  await gateway.app.drain();
  assert.equal((await usageOf(id))?.requests, 1);
});

test('without an interval nothing is noted', async (t) => {
  const { gateway, usageOf, send } = await setUp(t, '0s');
  const { text, id } = await gateway.createKey();
  await send(text);
  await gateway.app.drain();
  assert.equal(await usageOf(id), undefined);
});

test('a key that is in use is deleted only by force', async (t) => {
  const { gateway, usageOf, send } = await setUp(t, '100ms');
  const { text, id } = await gateway.createKey();
  await send(text);
  await until('it is written', async () => (await usageOf(id)) !== undefined);
  const { keys } = gateway.app;
  await assert.rejects(keys.revoke('ingestion', id, { name: 'test' }), {
    code: 'in_use',
    message: /^The ingestion API key \d+ was used .* by 1 source \(127\.0\.0\.1\)\. Rotate it, or delete it/,
  });
  assert.equal(await send(text), 200);
  await keys.revoke('ingestion', id, { name: 'test' }, { force: true });
  assert.equal(await send(text), 403);
});
