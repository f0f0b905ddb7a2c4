import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { connectExtAuthz, reasonIn } from '../support/authz-client.ts';
import type { Checked } from '../support/authz-client.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, TRACES_PATH } from '../support/grpc-client.ts';
import { startRedis } from '../support/redis.ts';
import { cidrs } from '../support/stores.ts';
import { until } from '../support/wait.ts';

const GRPC = { 'content-type': 'application/grpc' };
const AUTHZ = { grpc: { address: '127.0.0.1:0' } };

async function setUp(t: TestContext, key?: Partial<NewKey>, config: object = {}) {
  const gateway = await startGateway(t, { authz: AUTHZ, ...config });
  const { text, id } = await gateway.createKey(key);
  const envoy = connectExtAuthz(t, `127.0.0.1:${gateway.addresses.authz_grpc?.port}`);
  return { gateway, envoy, text, id };
}

const reasonOf = ({ denied }: Checked): string | undefined => reasonIn(denied?.headers['grpc-status-details-bin']);

describe('what Envoy is told over gRPC', () => {
  it('is to let a request with a good key pass: without the key, and with whose it is', async (t) => {
    const { gateway, envoy, text, id } = await setUp(t, { name: 'påyments', tenant: 'acme' });
    const fields = [
      [':path', '/v1/traces'],
      ['authorization', `ApiKey ${text}`],
      ['X_API_Key', text],
      ['x-keygate-key-id', 'forged'],
      ['x.keygate.role', 'admin'],
      ['content-type', 'application/x-protobuf'],
    ] as const;
    const answer = await envoy.check({ fields });
    assert.deepEqual([answer.code, answer.denied], [0, undefined]);
    assert.deepEqual(answer.set, {
      'x-keygate-key-id': id,
      'x-keygate-key-name': 'p%C3%A5yments',
      'x-keygate-tenant': 'acme',
    });
    assert.deepEqual(
      new Set(answer.remove),
      new Set(['authorization', 'x-api-key', 'apikey', 'sts-api-key', 'x_api_key', 'x.keygate.role']),
    );
    const allowed = { signal: 'traces', protocol: 'authz_grpc', verdict: 'allow' };
    assert.equal(await gateway.metric('keygate_requests_total', allowed), 1);
    assert.equal(await gateway.metric('keygate_key_requests_total', { key_id: id }), 1);
  });

  it('of a gRPC request that is refused is what gRPC clients understand', async (t) => {
    const { envoy } = await setUp(t);
    const answer = await envoy.check({ path: TRACES_PATH, headers: { ...GRPC, 'x-api-key': 'nobody-has-this' } });
    assert.deepEqual([answer.code, answer.denied?.status, reasonOf(answer)], [7, 403, 'unknown_key']);
    assert.equal(answer.denied?.headers['grpc-status'], '7');
    assert.match(answer.denied?.body ?? '', /^The key is not known here\./);
  });

  it('of an HTTP request that is refused is a status, and the words in JSON or as text', async (t) => {
    const { envoy } = await setUp(t);
    const json = await envoy.check({ headers: { 'content-type': 'application/json' } });
    assert.deepEqual([json.denied?.status, json.denied?.headers['content-type']], [403, 'application/json']);
    assert.equal((JSON.parse(json.denied?.body ?? '') as { code: number }).code, 7);
    const protobuf = await envoy.check({ headers: { 'content-type': 'application/x-protobuf' } });
    assert.match(protobuf.denied?.headers['content-type'] ?? '', /^text\/plain/);
    assert.match(protobuf.denied?.body ?? '', /missing_credential/);
  });

  it('is the same of two keys as it is at the data ports', async (t) => {
    const { envoy, text } = await setUp(t);
    const twice = (first: string, second: string) => ({
      path: TRACES_PATH,
      fields: [
        ['content-type', 'application/grpc'],
        ['x-api-key', first],
        ['x-api-key', second],
      ] as const,
    });
    assert.equal((await envoy.check(twice(text, text))).code, 0);
    assert.equal(reasonOf(await envoy.check(twice(text, 'another'))), 'conflicting_credentials');
    const merged = await envoy.check({ path: TRACES_PATH, headers: { ...GRPC, 'x-api-key': `${text},${text}` } });
    assert.equal(reasonOf(merged), 'malformed_credential');
  });

  it('goes by the address of the sender, which log and metrics tell too', async (t) => {
    const { gateway, envoy, text, id } = await setUp(t, { cidrs: cidrs('10.1.0.0/16') });
    const asked = { path: TRACES_PATH, headers: { ...GRPC, 'x-api-key': text, 'user-agent': 'an-exporter/1.0' } };
    assert.equal((await envoy.check({ ...asked, peer: '10.1.2.3' })).code, 0);
    const outside = await envoy.check({ ...asked, peer: '10.2.2.3' });
    assert.equal(reasonOf(outside), 'address_not_allowed');
    const line = gateway.log.map((each) => JSON.parse(each)).find(({ message }) => message === 'request refused');
    const { protocol, route, signal, peer, user_agent, key_id, reason } = line;
    assert.deepEqual(
      { protocol, route, signal, peer, user_agent, key_id, reason },
      {
        protocol: 'authz_grpc',
        route: 'otlp-grpc',
        signal: 'traces',
        peer: '10.2.2.3',
        user_agent: 'an-exporter/1.0',
        key_id: id,
        reason: 'address_not_allowed',
      },
    );
  });

  it('goes by the path: what the key may send, and nothing that is no route', async (t) => {
    const { envoy, text } = await setUp(t, { signals: ['traces'] });
    const headers = { ...GRPC, 'x-api-key': text };
    const path = (signal: string) => `/opentelemetry.proto.collector.${signal}Service/Export`;
    assert.equal((await envoy.check({ path: path('trace.v1.Trace'), headers })).code, 0);
    assert.equal(reasonOf(await envoy.check({ path: path('logs.v1.Logs'), headers })), 'signal_not_allowed');
    assert.equal(reasonOf(await envoy.check({ path: '/v1/traces/../logs', headers })), 'not_found');
    const read = await envoy.check({ path: '/v1/traces?x=y', method: 'GET', headers: { 'x-api-key': text } });
    assert.deepEqual([read.denied?.status, read.denied?.headers['allow']], [405, 'POST']);
    assert.equal((await envoy.check({ path: '/v1/traces?x=y', headers: { 'x-api-key': text } })).code, 0);
  });

  it('takes requests off the same limits as the data ports do', async (t) => {
    const collector = await startCollector(t);
    const limits = { requestsPerSecond: 1, requestBurst: 2 };
    const { gateway, envoy, text } = await setUp(t, { limits }, { upstream: { grpc: collector.grpcUrl } });
    const session = await connectGrpc(t, gateway.grpcAddress);
    assert.equal((await callGrpc(session, { headers: { 'x-api-key': text } })).code, 0);
    const asked = { path: TRACES_PATH, headers: { ...GRPC, 'x-api-key': text } };
    assert.equal((await envoy.check(asked)).code, 0);
    const refused = await envoy.check(asked);
    assert.deepEqual([refused.code, refused.denied?.status, reasonOf(refused)], [8, 429, 'rate_limited']);
    assert.ok(refused.denied?.headers['google.rpc.retryinfo-bin']);
  });

  it('is to come back when it is not said what is asked about', async (t) => {
    const { envoy } = await setUp(t);
    const answer = await envoy.checkNothing();
    assert.deepEqual([answer.code, answer.denied?.status], [14, 503]);
    assert.match(answer.denied?.body ?? '', /unclear_question/);
  });

  it('is yes for known keys and to come back for others while the store is away; no as soon as one is revoked', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { gateway, envoy, text } = await setUp(t, {}, { store: { redis: { url: redis.url } } });
    const other = await gateway.createKey();
    const asked = (key: string) => ({ path: TRACES_PATH, headers: { ...GRPC, 'x-api-key': key } });
    assert.equal((await envoy.check(asked(text))).code, 0);
    assert.equal((await envoy.check(asked(other.text))).code, 0);
    await gateway.app.keys.revoke('ingestion', other.id, { name: 'test' });
    await until('it is refused', async () => reasonOf(await envoy.check(asked(other.text))) === 'revoked_key');
    redis.freeze();
    assert.equal((await envoy.check(asked(text))).code, 0);
    const unknown = await envoy.check(asked('was-never-seen'));
    assert.deepEqual([unknown.code, unknown.denied?.status], [14, 503]);
    redis.thaw();
  });
});

describe('grpc.health.v1', () => {
  it('says that Envoy may ask, until the gateway drains', async (t) => {
    const { gateway, envoy } = await setUp(t, {}, { limits: { drainDelay: '500ms' } });
    assert.equal(await envoy.health(), 'SERVING');
    assert.equal(await envoy.health('envoy.service.auth.v3.Authorization'), 'SERVING');
    await assert.rejects(envoy.health('another.Service'), { code: 5 });
    const watching = envoy.watch();
    const told: string[] = [];
    watching.on('data', ({ status }: { status: string }) => told.push(status));
    watching.on('error', () => {});
    await once(watching, 'data');
    const drained = gateway.app.drain();
    assert.equal(await envoy.health(), 'NOT_SERVING');
    await drained;
    await until('the watch has ended', () => watching.destroyed || told.length === 2);
    assert.deepEqual(told, ['SERVING', 'NOT_SERVING']);
  });
});
