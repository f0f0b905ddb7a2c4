import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal, reasonOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';

/** What a Redis says that will not serve; each is a doubt about every key, and an answer about none. */
const ERRORS = [
  'LOADING Redis is loading the dataset in memory',
  "READONLY You can't write against a read only replica.",
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'WRONGPASS invalid username-password pair or user is disabled.',
  'NOAUTH Authentication required.',
  'NOPERM this user has no permissions to run the command',
  'CLUSTERDOWN The cluster is down',
  'MOVED 1234 127.0.0.1:1',
  'BUSY Redis is busy running a script.',
  "OOM command not allowed when used memory > 'maxmemory'.",
  'MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.',
  'ERR max number of clients reached',
];

it('whatever error Redis answers with: known keys flow, others are told to retry, and nobody is refused for good', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const proxy = await startTcpProxy(redis.port);
  t.after(() => proxy.close());
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    store: { redis: { url: `redis://127.0.0.1:${proxy.port}` } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  const session = await connectGrpc(t, gateway.grpcAddress);
  const overHttp = (key: string) => callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
  const overGrpc = (key: string) => callGrpc(session, { headers: { 'x-api-key': key } });
  const known = await gateway.createKey();
  assert.equal((await overHttp(known.text)).status, 200);

  for (const error of ERRORS) {
    const unseen = await gateway.createKey();
    proxy.set({ error });
    for (const key of [unseen.text, 'a-key-that-may-not-exist']) {
      const { status, headers, body } = await overHttp(key);
      const reason = reasonOf(decodeStatus(body)) ?? '';
      assert.deepEqual([status, reason.startsWith('store_')], [503, true], `${error}: ${reason}`);
      assert.match(headers['retry-after'] ?? '', /^[1-5]$/);
      const refusal = readRefusal(await overGrpc(key));
      assert.deepEqual([refusal.code, refusal.retrySeconds !== undefined], [14, true], error);
    }
    assert.deepEqual([(await overHttp(known.text)).status, (await overGrpc(known.text)).code], [200, 0], error);
    proxy.set('open');
    await until(`a key is found after ${error}`, async () => (await overHttp(unseen.text)).status === 200);
  }
  assert.equal(await gateway.metric('keygate_requests_total', { verdict: 'deny' }), 0);
});
