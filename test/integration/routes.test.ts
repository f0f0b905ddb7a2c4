import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { startCollector } from '../support/collector.ts';
import type { CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal, reasonOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';

const SHOP = 'https://shop.example.com';

type ConfigInput = Parameters<typeof startGateway>[1];

/** A gateway with a collector of its own for each kind of route. */
async function setUp(t: TestContext, config: ConfigInput = {}, settingsOptions: CollectorOptions = {}) {
  const otlp = await startCollector(t);
  const rum = await startCollector(t);
  const settings = await startCollector(t, settingsOptions);
  const gateway = await startGateway(t, {
    upstream: { grpc: otlp.grpcUrl, http: otlp.httpUrl },
    ...config,
    routes: {
      rum: { target: rum.httpUrl, ...config.routes?.rum },
      remoteConfig: { target: settings.httpUrl, ...config.routes?.remoteConfig },
    },
  });
  const call = (key: string, path: string, { headers, ...more }: HttpCall = {}) =>
    callHttp(gateway.httpUrl, { path, ...more, headers: { 'x-api-key': key, ...headers } });
  const read = (key: string, more: HttpCall = {}) => call(key, '/remote-config', { method: 'GET', body: '', ...more });
  const keyWith = async (key: Partial<NewKey>) => (await gateway.createKey(key)).text;
  return { otlp, rum, settings, gateway, call, read, keyWith };
}

function outcome({ status, body }: HttpAnswer): string {
  return status < 400 ? `${status}` : `${status} ${reasonOf(decodeStatus(body))}`;
}

describe('the type of a key says on which routes it is taken', () => {
  const REFUSED = '403 route_not_allowed';
  // oxfmt-ignore
  const TABLE = {
    '': { grpc: '0', otlp: '200', rum: '200', sourcemaps: '200', read: REFUSED },
    sensor: { grpc: '0', otlp: '200', rum: REFUSED, sourcemaps: REFUSED, read: '200' },
    thirdParty: { grpc: '0', otlp: '200', rum: REFUSED, sourcemaps: REFUSED, read: REFUSED },
    rum: { grpc: '7 route_not_allowed', otlp: '200', rum: '200', sourcemaps: '200', read: REFUSED },
  };

  for (const [type, expected] of Object.entries(TABLE)) {
    it(type === '' ? 'if it has one' : type, async (t) => {
      const { otlp, rum, settings, gateway, call, read, keyWith } = await setUp(t);
      const key = await keyWith(type === '' ? {} : { type: type as keyof typeof TABLE & NewKey['type'] });
      const session = await connectGrpc(t, gateway.grpcAddress);
      const grpc = await callGrpc(session, { headers: { 'x-api-key': key } });
      const seen = {
        grpc: grpc.code === 0 ? '0' : `${grpc.code} ${readRefusal(grpc).reason}`,
        otlp: outcome(await call(key, '/v1/traces')),
        rum: outcome(await call(key, '/json/rum')),
        sourcemaps: outcome(await call(key, '/rum/sourcemaps')),
        read: outcome(await read(key)),
      };
      assert.deepEqual(seen, expected);
      const head = await read(key, { method: 'HEAD' });
      assert.deepEqual([head.status, head.body.length], [seen.read === '200' ? 200 : 403, 0]);
      const arrived = [otlp, rum, settings].map(({ arrivals }) =>
        arrivals.map(({ method, path }) => `${method} ${path}`),
      );
      assert.deepEqual(arrived, [
        ['POST /opentelemetry.proto.collector.trace.v1.TraceService/Export', 'POST /v1/traces'].slice(
          expected.grpc === '0' ? 0 : 1,
        ),
        expected.rum === '200' ? ['POST /json/rum', 'POST /rum/sourcemaps'] : [],
        expected.read === '200' ? ['GET /remote-config', 'HEAD /remote-config'] : [],
      ]);
    });
  }

  it('and every other method is told which ones there are', async (t) => {
    const { call, keyWith } = await setUp(t);
    const sensor = await keyWith({ type: 'sensor' });
    const seen: string[] = [];
    for (const [path, methods] of [
      ['/json/rum', ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']],
      ['/remote-config', ['POST', 'PUT', 'DELETE', 'OPTIONS']],
    ] as const) {
      for (const method of methods) {
        const { status, headers } = await call(sensor, path, { method, body: '' });
        seen.push(`${path} ${status} ${headers['allow']}`);
      }
    }
    assert.deepEqual(new Set(seen), new Set(['/json/rum 405 POST', '/remote-config 405 GET, HEAD']));
    assert.equal(seen.length, 9);
  });

  it('but a list of signals leaves out the events of pages, and not the reading of settings', async (t) => {
    const { call, read, keyWith } = await setUp(t);
    const page = await keyWith({ type: 'rum', signals: ['traces', 'logs'] });
    assert.deepEqual(
      [outcome(await call(page, '/v1/traces')), outcome(await call(page, '/json/rum'))],
      ['200', '403 signal_not_allowed'],
    );
    assert.equal(outcome(await read(await keyWith({ type: 'sensor', signals: ['traces'] }))), '200');
  });
});

describe('routes that nobody is configured to answer', () => {
  it('do not exist', async (t) => {
    const { call, read, keyWith, gateway } = await setUp(t, {
      routes: { rum: { target: null }, remoteConfig: { target: null } },
    });
    const [any, sensor] = [await keyWith({}), await keyWith({ type: 'sensor' })];
    assert.deepEqual(
      [outcome(await call(any, '/json/rum')), outcome(await call(any, '/rum/sourcemaps')), outcome(await read(sensor))],
      ['404 not_found', '404 not_found', '404 not_found'],
    );
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'none', reason: 'not_found' }), 3);
  });

  it('and those at other paths than the usual ones are where they were put, to the letter', async (t) => {
    const { rum, settings, call, keyWith } = await setUp(t, {
      routes: { rum: { paths: ['/events'] }, remoteConfig: { paths: ['/agent/v1/config', '/agent/v2/config'] } },
    });
    const [any, sensor] = [await keyWith({}), await keyWith({ type: 'sensor' })];
    const seen = [];
    for (const path of ['/events', '/events/', '/Events', '/json/rum']) seen.push((await call(any, path)).status);
    for (const path of ['/agent/v1/config', '/agent/v2/config', '/agent/v3/config'])
      seen.push((await call(sensor, path, { method: 'GET', body: '' })).status);
    assert.deepEqual(seen, [200, 404, 404, 404, 200, 200, 404]);
    assert.deepEqual([rum.arrivals.length, settings.arrivals.length], [1, 2]);
  });
});

describe('events of pages', () => {
  it('pass in any content type, byte for byte, with the identity of their key and without the key', async (t) => {
    const { rum, call, gateway } = await setUp(t);
    const { text, id } = await gateway.createKey({ type: 'rum', tenant: 'acme' });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const types = [
      'application/json',
      'text/plain;charset=UTF-8',
      'multipart/form-data; boundary=x',
      'application/zip',
    ];
    for (const type of types) {
      await call(text, '/json/rum', {
        headers: { 'content-type': type, 'x-keygate-key-id': '0' },
        body: [bytes, bytes],
      });
    }
    assert.deepEqual(
      rum.arrivals.map(({ headers, body }) => [headers['content-type'], body.equals(Buffer.concat([bytes, bytes]))]),
      types.map((type) => [[type], true]),
    );
    for (const { headers } of rum.arrivals) {
      assert.deepEqual([headers['x-keygate-key-id'], headers['x-keygate-tenant']], [[id], ['acme']]);
      assert.doesNotMatch(JSON.stringify(headers), new RegExp(text));
    }
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'rum', verdict: 'allow' }), 4);
    assert.equal(await gateway.metric('keygate_request_bytes_total', { signal: 'rum' }), 4 * 512);
  });

  it('are refused above the largest body there may be, announced or not', async (t) => {
    const { call, keyWith } = await setUp(t, { limits: { maxBody: '1KiB' } });
    const key = await keyWith({ type: 'rum' });
    for (const body of [Buffer.alloc(2_000), [Buffer.alloc(1_000), Buffer.alloc(1_000)]]) {
      assert.equal(outcome(await call(key, '/rum/sourcemaps', { body })), '413 body_too_large');
    }
  });

  it('are refused as a Status in JSON, unless they are protobuf', async (t) => {
    const { call } = await setUp(t);
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', '']) {
      const { status, headers, body } = await call('unknown', '/json/rum', { headers: { 'content-type': type } });
      assert.deepEqual([status, headers['content-type']], [403, 'application/json'], type);
      assert.match(body.toString(), /^\{"code":7,"message":"The key is not known here\. .*"reason":"unknown_key"/);
    }
    const { headers } = await call('unknown', '/json/rum');
    assert.equal(headers['content-type'], 'application/x-protobuf');
  });

  it('come from pages: the preflight needs no key and names the method, and a page may read every refusal', async (t) => {
    const { call, keyWith, rum, gateway } = await setUp(t, { cors: { origins: [SHOP] } });
    const key = await keyWith({ type: 'rum', origins: [SHOP] });
    const headers = { origin: SHOP };
    const preflight = await callHttp(gateway.httpUrl, {
      method: 'OPTIONS',
      path: '/json/rum',
      headers: { ...headers, 'access-control-request-method': 'POST' },
      body: '',
    });
    assert.deepEqual(
      [preflight.status, preflight.headers['access-control-allow-methods'], rum.begun()],
      [204, 'POST', 0],
    );
    const thirdParty = await keyWith({ type: 'thirdParty' });
    const seen = [
      await call(key, '/json/rum', { headers }),
      await call('unknown', '/json/rum', { headers }),
      await call(thirdParty, '/json/rum', { headers }),
      await call(key, '/json/rum', { headers, method: 'PUT' }),
    ].map((answer) => [outcome(answer), answer.headers['access-control-allow-origin'], answer.headers['vary']]);
    assert.deepEqual(seen, [
      ['200', SHOP, 'Origin'],
      ['403 unknown_key', SHOP, 'Origin'],
      ['403 route_not_allowed', SHOP, 'Origin'],
      ['405 method_not_allowed', SHOP, 'Origin'],
    ]);
    assert.equal(outcome(await call(key, '/json/rum')), '403 origin_not_allowed');
  });

  it('are kept by their sender while nobody takes them', async (t) => {
    const { rum, call, keyWith, otlp } = await setUp(t);
    await rum.close();
    const key = await keyWith({ type: 'rum' });
    const answer = await call(key, '/json/rum', { headers: { 'content-type': 'application/json' } });
    assert.deepEqual([answer.status, /^[1-5]$/.test(answer.headers['retry-after'] ?? '')], [503, true]);
    assert.equal(otlp.begun(), 0);
  });
});

describe('settings', () => {
  const SETTINGS = Buffer.from('{"sampling":0.5}');
  /** As a server of settings that agents keep asking. */
  const onHttp: CollectorOptions['onHttp'] = (response, { headers }) => {
    const known = headers['if-none-match']?.[0] === '"v7"';
    response.writeHead(known ? 304 : 200, {
      etag: '"v7"',
      'cache-control': 'private, max-age=60',
      'access-control-allow-origin': 'https://console.example.com',
      ...(known ? {} : { 'content-type': 'application/json', 'content-length': SETTINGS.length }),
    });
    response.end(known ? undefined : SETTINGS);
  };

  it('come as they are, and only when they have changed, over HTTP/1.1 and HTTP/2', async (t) => {
    const { settings, gateway, read, keyWith } = await setUp(t, {}, { onHttp });
    const key = await keyWith({ type: 'sensor' });
    const session = await connectGrpc(t, gateway.httpUrl);
    const overH2 = (call: HttpCall) =>
      callHttpOverH2(session, {
        ...call,
        path: '/remote-config',
        headers: { 'x-api-key': key, ...call.headers },
        body: '',
      });

    for (const ask of [(call: HttpCall) => read(key, call), overH2]) {
      const fresh = await ask({ method: 'GET' });
      assert.deepEqual(
        [fresh.status, fresh.body.toString(), fresh.headers['etag'], fresh.headers['cache-control']],
        [200, SETTINGS.toString(), '"v7"', 'private, max-age=60'],
      );
      const same = await ask({ method: 'GET', headers: { 'if-none-match': '"v7"' } });
      assert.deepEqual([same.status, same.body.length, same.headers['etag']], [304, 0, '"v7"']);
      const head = await ask({ method: 'HEAD' });
      assert.deepEqual(
        [head.status, head.body.length, head.headers['content-length']],
        [200, 0, String(SETTINGS.length)],
      );
    }
    assert.deepEqual(
      settings.arrivals.map(({ method, bodyBytes, headers }) => [method, bodyBytes, headers['content-length']]),
      ['GET', 'GET', 'HEAD', 'GET', 'GET', 'HEAD'].map((method) => [method, 0, undefined]),
    );
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'remote-config', verdict: 'allow' }), 6);
    assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
  });

  it('are asked for without the query, which could hold a key', async (t) => {
    const { settings, call, keyWith } = await setUp(t);
    const key = await keyWith({ type: 'sensor' });
    const { status } = await call(key, `/remote-config?api_key=${key}`, { method: 'GET', body: '' });
    assert.deepEqual([status, settings.arrivals.map(({ path }) => path)], [200, ['/remote-config']]);
    const inQuery = await call('', `/remote-config?api_key=${key}`, { method: 'GET', body: '' });
    assert.equal(outcome(inQuery), '403 missing_credential');
  });

  it('are not for pages: no preflight is answered, and no origin is named', async (t) => {
    const { gateway, read, keyWith } = await setUp(t, { cors: { origins: ['*'] } });
    const key = await keyWith({ type: 'sensor' });
    const preflight = await callHttp(gateway.httpUrl, {
      method: 'OPTIONS',
      path: '/remote-config',
      headers: { origin: SHOP, 'access-control-request-method': 'GET' },
      body: '',
    });
    assert.deepEqual([preflight.status, preflight.headers['allow']], [405, 'GET, HEAD']);
    for (const answer of [preflight, await read(key, { headers: { origin: SHOP } })]) {
      assert.doesNotMatch(JSON.stringify(answer.headers), /access-control/);
    }
  });

  it('are refused in JSON, and count as requests of their key', async (t) => {
    const { read, keyWith } = await setUp(t);
    const limited = await keyWith({ type: 'sensor', limits: { requestsPerSecond: 1 } });
    const asJson = { headers: { 'content-type': '' } };
    assert.deepEqual([(await read(limited)).status, (await read(limited)).status], [200, 429]);
    const { status, headers, body } = await read('unknown', asJson);
    assert.deepEqual([status, headers['content-type']], [403, 'application/json']);
    assert.match(body.toString(), /"reason":"unknown_key"/);
  });
});
