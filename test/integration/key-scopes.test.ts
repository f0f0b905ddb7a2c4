import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal, reasonOf, retrySecondsOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const SHOP = 'https://shop.example.com';

async function setUp(t: TestContext, config: object = {}) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl, http: collector.httpUrl }, ...config });
  const session = await connectGrpc(t, gateway.grpcAddress);

  type Extra = Readonly<Record<string, string>>;
  const overHttp = (key: string, extra: Extra = {}) =>
    callHttp(gateway.httpUrl, { headers: { 'x-api-key': key, ...extra } });
  const overGrpc = (key: string, extra: Extra = {}) => callGrpc(session, { headers: { 'x-api-key': key, ...extra } });

  /** What both protocols say to a new key like this: `status`, or `status reason`. */
  async function trial(key: Partial<NewKey>, extra: Extra = {}): Promise<{ http: string; grpc: string }> {
    const { text } = await gateway.createKey(key);
    const grpc = await overGrpc(text, extra);
    return {
      http: httpOutcome(await overHttp(text, extra)),
      grpc: grpc.code === 0 ? '0' : `${grpc.code} ${readRefusal(grpc).reason}`,
    };
  }
  return { collector, gateway, overHttp, overGrpc, trial };
}

function httpOutcome({ status, body }: HttpAnswer): string {
  return status === 200 ? '200' : `${status} ${reasonOf(decodeStatus(body))}`;
}

const ALLOWED = { http: '200', grpc: '0' };

describe('a key that is limited', () => {
  it('to browsers is taken over HTTP and not over gRPC', async (t) => {
    const { trial } = await setUp(t);
    assert.deepEqual(await trial({ type: 'rum' }), { http: '200', grpc: '7 route_not_allowed' });
    assert.deepEqual(await trial({ type: 'sensor' }), ALLOWED);
    assert.deepEqual(await trial({ type: 'thirdParty' }), ALLOWED);
  });

  it('to a signal sends no other', async (t) => {
    const { trial } = await setUp(t);
    assert.deepEqual(await trial({ signals: ['traces', 'logs'] }), ALLOWED);
    assert.deepEqual(await trial({ signals: ['logs'] }), {
      http: '403 signal_not_allowed',
      grpc: '7 signal_not_allowed',
    });
  });

  it('to a network is taken from nowhere else', async (t) => {
    const { trial } = await setUp(t);
    assert.deepEqual(await trial({ cidrs: ['10.0.0.0/8', '127.0.0.0/8'] }), ALLOWED);
    const refused = { http: '403 address_not_allowed', grpc: '7 address_not_allowed' };
    assert.deepEqual(await trial({ cidrs: ['10.0.0.0/8', '::1'] }), refused);
    // Whoever sends can say anything: only the connection itself counts.
    assert.deepEqual(
      await trial({ cidrs: ['10.0.0.0/8'] }, { 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1' }),
      refused,
    );
  });

  it('to an IPv4 network is taken from there on a port for both families', async (t) => {
    const { gateway, overHttp } = await setUp(t, {
      listen: { http: { address: '[::]:0' }, grpc: { address: '127.0.0.1:0' } },
    });
    const { text } = await gateway.createKey({ cidrs: ['127.0.0.1'] });
    assert.equal(httpOutcome(await overHttp(text)), '200');
    const other = await gateway.createKey({ cidrs: ['::/0'] });
    assert.equal(httpOutcome(await overHttp(other.text)), '403 address_not_allowed');
  });

  it('to a web origin is taken from there only, and not from programs', async (t) => {
    const { trial } = await setUp(t);
    const refused = { http: '403 origin_not_allowed', grpc: '7 origin_not_allowed' };
    assert.deepEqual(await trial({ origins: [SHOP] }, { origin: SHOP }), ALLOWED);
    assert.deepEqual(await trial({ origins: [SHOP] }, { origin: 'https://elsewhere.example' }), refused);
    assert.deepEqual(await trial({ origins: [SHOP] }), refused);
    assert.deepEqual(await trial({ origins: ['*'] }), ALLOWED);
  });

  it('is refused before the collector hears of it, and its holder is told which key it is', async (t) => {
    const { collector, gateway, overHttp } = await setUp(t);
    const { text, id } = await gateway.createKey({ signals: ['logs'] });
    const { body } = await overHttp(text);
    assert.match(
      decodeStatus(body).message,
      new RegExp(`^The key may not send .* \\(signal_not_allowed, key ${id}, request `),
    );
    assert.equal(collector.begun(), 0);
    assert.equal(await gateway.metric('keygate_requests_total', { reason: 'signal_not_allowed' }), 1);
  });
});

describe('a key with a tenant', () => {
  it('names it to the collector in the header that was configured, which nobody else can set', async (t) => {
    const { collector, gateway, overHttp, overGrpc } = await setUp(t, { keys: { tenantHeader: 'x-scope-orgid' } });
    const forged = { 'x-scope-orgid': 'forged', X_Scope_OrgID: 'forged', 'x.scope.orgid': 'forged' };
    const { text } = await gateway.createKey({ tenant: 'acme' });
    const plain = await gateway.createKey();
    await overHttp(text, forged);
    await overGrpc(text, forged);
    await overHttp(plain.text, forged);
    await overGrpc(plain.text, forged);
    const told = collector.arrivals.map(({ headers }) =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => /tenant|scope.orgid/.test(name))),
    );
    const acme = { 'x-keygate-tenant': ['acme'], 'x-scope-orgid': ['acme'] };
    assert.deepEqual(told, [acme, acme, {}, {}]);
  });

  it('names it in our own header alone unless one is configured', async (t) => {
    const { collector, gateway, overHttp } = await setUp(t);
    const { text } = await gateway.createKey({ tenant: 'acme' });
    await overHttp(text, { 'x-scope-orgid': 'passed' });
    const [arrival] = collector.arrivals;
    const { 'x-keygate-tenant': ours, 'x-scope-orgid': other } = arrival?.headers ?? {};
    assert.deepEqual([ours, other], [['acme'], ['passed']]);
  });
});

describe('a key over its limits', () => {
  it('is told to come back, with how long that is, and is taken again then', async (t) => {
    const { collector, gateway, overHttp, overGrpc } = await setUp(t);
    const { text } = await gateway.createKey({ limits: { requestsPerSecond: 1, requestBurst: 2 } });
    assert.deepEqual([(await overHttp(text)).status, (await overGrpc(text)).code], [200, 0]);

    const http = await overHttp(text);
    const status = decodeStatus(http.body);
    assert.deepEqual([http.status, status.code, reasonOf(status)], [429, 8, 'rate_limited']);
    assert.match(http.headers['retry-after'] ?? '', /^[1-5]$/);
    assert.equal(retrySecondsOf(status), Number(http.headers['retry-after']));

    const { code, reason, retrySeconds = 0, trailersOnly } = readRefusal(await overGrpc(text));
    assert.deepEqual([code, reason, trailersOnly], [8, 'rate_limited', true]);
    assert.ok(retrySeconds >= 1 && retrySeconds <= 5);
    assert.equal(collector.begun(), 2);

    await until('a second has brought one more request', async () => (await overGrpc(text)).code === 0);
    assert.equal(collector.begun(), 3);
  });

  it('has the request in which it went over taken whole, and the next one refused, over either protocol', async (t) => {
    const { collector, gateway, overHttp, overGrpc } = await setUp(t);
    for (const send of [
      (key: string) => callHttp(gateway.httpUrl, { headers: { 'x-api-key': key }, body: Buffer.alloc(3_000) }),
      async (key: string) => ({ status: (await overGrpc(key)).code === 0 ? 200 : 0 }),
    ]) {
      const { text } = await gateway.createKey({ limits: { bytesPerSecond: 1, byteBurst: 10 } });
      assert.equal((await send(text)).status, 200);
      const http = await overHttp(text);
      assert.deepEqual(
        [httpOutcome(http), /^[1-5]$/.test(http.headers['retry-after'] ?? '')],
        ['429 quota_exceeded', true],
      );
      const grpc = readRefusal(await overGrpc(text));
      assert.deepEqual([grpc.code, grpc.reason, grpc.retrySeconds !== undefined], [8, 'quota_exceeded', true]);
    }
    assert.equal(collector.arrivals.length, 2);
  });

  it('is taken again once it has paid back the bytes that went beyond', async (t) => {
    const { gateway, overHttp } = await setUp(t);
    const { text } = await gateway.createKey({ limits: { bytesPerSecond: 10_000 } });
    const large = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': text }, body: Buffer.alloc(15_000) });
    assert.equal(large.status, 200);
    assert.equal(httpOutcome(await overHttp(text)), '429 quota_exceeded');
    await until('half a second has brought its bytes', async () => (await overHttp(text)).status === 200);
  });

  it('does not stand in the way of another key', async (t) => {
    const { gateway, overHttp } = await setUp(t);
    const limited = await gateway.createKey({ limits: { requestsPerSecond: 1 } });
    const other = await gateway.createKey();
    const statuses = [];
    for (const { text } of [limited, limited, other]) statuses.push((await overHttp(text)).status);
    assert.deepEqual(statuses, [200, 429, 200]);
  });
});
