import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Overview } from '../../src/admin/overview.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';

/** Addresses of collectors: the library plane knows nothing of their health. */
const LOOKED_AFTER = process.env['KEYGATE_PLANE'] === 'library' ? 0 : 1;

test('the overview is the state of the gateway now: what it has done, and that its store is gone', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    store: { redis: { url: redis.url } },
    replica: { name: 'gateway-1' },
    canary: { interval: '0s' },
  });
  const { text: token } = await gateway.app.keys.create(
    { kind: 'service', name: 'sre', roles: ['viewer'] },
    { name: 'a test' },
  );
  const { text: key } = await gateway.createKey();
  const look = async (): Promise<Overview> => {
    const { port } = gateway.addresses.admin;
    const response = await fetch(`http://127.0.0.1:${port}/api/overview`, { headers: { 'x-api-key': token } });
    assert.equal(response.status, 200);
    return (await response.json()) as Overview;
  };

  // A Redis that has never held a key is not trusted: it is from its next ping on.
  await until('the store is up', async () => (await look()).store.up);
  await until('the gateway has told the store of itself', async () => (await look()).replicas?.length === 1);
  const before = await look();
  for (let i = 0; i < 3; i++) {
    assert.equal((await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status, 200);
  }
  const after = await look();
  assert.deepEqual(
    { store: after.store, feed: after.feed, draining: after.draining, workers: after.workers },
    {
      store: { kind: 'redis', up: true, breakerOpen: false, evicts: false },
      feed: { up: true },
      draining: false,
      workers: 1,
    },
  );
  // The key is looked up once, and both the key and the token are in memory from then on: two requests and this look.
  assert.deepEqual(
    [
      after.cache.known - before.cache.known,
      after.cache.misses - before.cache.misses,
      after.cache.hits - before.cache.hits,
    ],
    [1, 1, 3],
  );
  const [replica] = after.replicas ?? [];
  assert.deepEqual([replica?.name, replica?.live, replica?.changesBehind], ['gateway-1', true, 0]);
  assert.deepEqual(
    after.collectors.map(({ protocol, healthy, ejected }) => [protocol, healthy, ejected]),
    [
      ['grpc', LOOKED_AFTER, 0],
      ['http', LOOKED_AFTER, 0],
    ],
  );

  await redis.kill();
  await until('the gateway has seen that the store is gone', async () => !(await look()).store.up);
  const { replicas, feed } = await look();
  assert.deepEqual([replicas, feed], [undefined, { up: false }]);
});
