import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttpOverH2 } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';

it('1,000 concurrent first requests of one key, over HTTP/2, cause one lookup', { timeout: 60_000 }, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    store: { redis: { url: redis.url, commandTimeout: '5s', socketTimeout: '10s' } },
    upstream: { http: collector.httpUrl, grpc: collector.grpcUrl },
  });
  const { text: key } = await gateway.createKey();
  redis.freeze();
  const headers = { 'x-api-key': key };
  const sessions = await Promise.all(Array.from({ length: 5 }, () => connectGrpc(t, gateway.grpcAddress)));
  const grpc = sessions.flatMap((session) => Array.from({ length: 100 }, () => callGrpc(session, { headers })));
  const http = sessions.flatMap((session) => Array.from({ length: 100 }, () => callHttpOverH2(session, { headers })));
  await until('all are in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 1_000, 15_000);
  redis.thaw();
  assert.deepEqual([...new Set((await Promise.all(grpc)).map(({ code }) => code))], [0]);
  assert.deepEqual([...new Set((await Promise.all(http)).map(({ status }) => status))], [200]);
  assert.equal(await gateway.metric('keygate_store_lookup_seconds_count'), 1);
});

it('a flood of random keys is bounded in a whole gateway', { timeout: 60_000 }, async (t) => {
  const gateway = await startGateway(t, {
    cache: { maxUnknownLookups: 4 },
    upstream: { http: 'http://127.0.0.1:9' },
  });
  const session = await connectGrpc(t, gateway.grpcAddress);
  const startedAt = performance.now();
  const send = (key: string) => callHttpOverH2(session, { headers: { 'x-api-key': key } });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => send(`nobody-made-this-${index}`)));
  const seconds = (performance.now() - startedAt) / 1_000;
  const refused = answers.filter(({ status }) => status === 403).length;
  assert.ok(refused >= 1 && refused <= 3 + seconds, `${refused} lookups`);
  assert.equal(answers.filter(({ status }) => status === 503).length, 200 - refused);
  assert.equal(await gateway.metric('keygate_cache_shed_total', { cause: 'unknown' }), 200 - refused);
});
