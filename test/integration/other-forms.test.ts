import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc, reasonOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';

const SHOP = 'https://shop.example.com';

type ConfigInput = Parameters<typeof startGateway>[1];

async function setUp(t: TestContext, config: ConfigInput = {}) {
  const otlp = await startCollector(t);
  const intake = await startCollector(t);
  const target = intake.httpUrl;
  const gateway = await startGateway(t, {
    upstream: { http: otlp.httpUrl },
    ...config,
    routes: {
      logs: { target },
      singles: { target, ...config.routes?.singles },
      remoteWrite: { target },
      rum: { target, ...config.routes?.rum },
    },
  });
  const call = (key: string, path: string, { headers, ...more }: HttpCall = {}) =>
    callHttp(gateway.httpUrl, { path, ...more, headers: { 'x-api-key': key, ...headers } });
  const keyWith = async (key: Partial<NewKey>) => (await gateway.createKey(key)).text;
  return { otlp, intake, gateway, call, keyWith };
}

function outcome({ status, body }: HttpAnswer): string {
  return status < 400 ? `${status}` : `${status} ${reasonOf(decodeStatus(body))}`;
}

describe('logs and metrics that are not OTLP', () => {
  const PATHS = ['/json/logs', '/logs/v1/singles', '/api/v1/write'] as const;

  it('go where they are configured to, byte for byte, with the identity of their key', async (t) => {
    const { intake, gateway, call } = await setUp(t);
    const { text, id } = await gateway.createKey({ type: 'thirdParty' });
    for (const path of PATHS) {
      const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'snappy' };
      assert.equal(outcome(await call(text, `${path}?api_key=${text}`, { headers })), '200');
    }
    const session = await connectGrpc(t, gateway.grpcAddress);
    const overH2 = await callHttpOverH2(session, { path: '/logs/v1/singles', headers: { 'x-api-key': text } });
    assert.equal(overH2.status, 200);
    assert.deepEqual(
      intake.arrivals.map(({ path, body }) => [path, body.toString()]),
      [...PATHS, '/logs/v1/singles'].map((path) => [path, 'telemetry']),
    );
    for (const { headers } of intake.arrivals) {
      assert.deepEqual(headers['x-keygate-key-id'], [id]);
      assert.doesNotMatch(JSON.stringify(headers), new RegExp(text));
    }
    const logs = { signal: 'logs', verdict: 'allow' };
    assert.equal(await gateway.metric('keygate_requests_total', logs), 3);
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'metrics', verdict: 'allow' }), 1);
  });

  it('are for all keys but those of pages, and are logs and metrics to those that may not send everything', async (t) => {
    const { call, keyWith, intake } = await setUp(t);
    const seen: Record<string, string[]> = {};
    for (const [name, key] of Object.entries({
      none: await keyWith({}),
      sensor: await keyWith({ type: 'sensor' }),
      rum: await keyWith({ type: 'rum' }),
      logs: await keyWith({ signals: ['logs'] }),
    })) {
      seen[name] = [];
      for (const path of PATHS) seen[name].push(outcome(await call(key, path)));
    }
    const refused = '403 route_not_allowed';
    assert.deepEqual(seen, {
      none: ['200', '200', '200'],
      sensor: ['200', '200', '200'],
      rum: [refused, refused, refused],
      logs: ['200', '200', '403 signal_not_allowed'],
    });
    assert.equal(intake.arrivals.length, 8);
  });

  it('are not there without a target', async (t) => {
    const gateway = await startGateway(t, { upstream: { http: 'http://127.0.0.1:1' } });
    for (const path of PATHS) assert.equal(outcome(await callHttp(gateway.httpUrl, { path })), '404 not_found');
  });

  it('of IBM Cloud Logs have a limit of their own, of 2 MB unless told otherwise, announced or not', async (t) => {
    const { call, keyWith, intake } = await setUp(t);
    const key = await keyWith({});
    const large = Buffer.alloc(1_100_000);
    const bodies: HttpCall['body'][] = [large, Buffer.alloc(2_200_000), [large, large]];
    const seen: string[] = [];
    for (const body of bodies) seen.push(outcome(await call(key, '/logs/v1/singles', { ...(body && { body }) })));
    assert.deepEqual(seen, ['200', '413 body_too_large', '413 body_too_large']);
    assert.equal(outcome(await call(key, '/json/logs', { body: Buffer.alloc(2_200_000) })), '200');
    assert.equal(intake.arrivals.length, 2);

    const small = await setUp(t, { routes: { singles: { maxRequest: '1KiB' } }, limits: { maxBody: '2KiB' } });
    const other = await small.keyWith({});
    const sizes = { '/logs/v1/singles': [1_024, 1_025], '/json/logs': [2_048, 2_049] };
    for (const [path, [fits = 0, tooMuch = 0]] of Object.entries(sizes)) {
      const statuses = [];
      for (const size of [fits, tooMuch]) {
        statuses.push((await small.call(other, path, { body: Buffer.alloc(size) })).status);
      }
      assert.deepEqual(statuses, [200, 413], path);
    }
  });
});

describe('keys of pages, where OTLP is not for pages,', () => {
  it('are good for RUM endpoints only, and no preflight is answered elsewhere', async (t) => {
    const { call, keyWith, gateway } = await setUp(t, { cors: { origins: [SHOP] }, routes: { rum: { otlp: false } } });
    const key = await keyWith({ type: 'rum' });
    const origin = { origin: SHOP };
    const json = { headers: { ...origin, 'content-type': 'application/json' } };
    assert.equal((await call(key, '/json/rum', json)).status, 200);
    const refused = await call(key, '/v1/traces', json);
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /RUM keys may only be used against RUM endpoints/);
    assert.equal(refused.headers['access-control-allow-origin'], undefined);
    const preflight = (path: string) =>
      callHttp(gateway.httpUrl, {
        method: 'OPTIONS',
        path,
        headers: { ...origin, 'access-control-request-method': 'POST' },
        body: '',
      });
    assert.deepEqual([(await preflight('/json/rum')).status, (await preflight('/v1/traces')).status], [204, 405]);
    assert.equal((await call(await keyWith({ type: 'sensor' }), '/v1/traces')).status, 200);
  });
});
