import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import type { CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc, reasonOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { converse, request } from '../support/raw-http.ts';

const SHOP = 'https://shop.example.com';
const ELSEWHERE = 'https://elsewhere.example';

interface Setup extends CollectorOptions {
  readonly origins?: readonly string[];
}

async function setUp(t: TestContext, { origins = [SHOP], ...options }: Setup = {}) {
  const collector = await startCollector(t, options);
  const gateway = await startGateway(t, {
    upstream: { http: collector.httpUrl },
    cors: { origins: [...origins], maxAge: '10m' },
  });
  const { text: key } = await gateway.createKey();
  return { collector, gateway, key };
}

/** As Chrome sends it before a fetch of the OpenTelemetry exporter. */
const PREFLIGHT = [
  'Host: otlp.example.com',
  'Accept: */*',
  'Access-Control-Request-Headers: content-type,x-api-key',
  'Access-Control-Request-Method: POST',
  `Origin: ${SHOP}`,
  'Sec-Fetch-Mode: cors',
  'Connection: close',
];
const preflightFrom = (origin: string): string[] => PREFLIGHT.map((line) => line.replace(SHOP, origin));

/** The fields of an answer that browsers go by. */
function corsFields(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')),
  );
}

const READABLE = {
  'access-control-allow-origin': SHOP,
  'access-control-expose-headers': 'Retry-After, X-Request-Id, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin',
  vary: 'Origin',
};

describe('a preflight', () => {
  it('from an origin that is allowed is answered at once, without a key and without the collector', async (t) => {
    const { collector, gateway } = await setUp(t);
    const { text } = await converse(t, gateway.addresses.http.port, request('OPTIONS /v1/traces HTTP/1.1', PREFLIGHT));
    const [first, ...lines] = text.split('\r\n');
    assert.deepEqual(
      [first, ...lines.filter((line) => !line.startsWith('Date:')).toSorted()],
      [
        'HTTP/1.1 204 No Content',
        '',
        '',
        'Connection: close',
        'access-control-allow-headers: Authorization, Content-Type, Content-Encoding, x-api-key, apikey, sts-api-key, *',
        'access-control-allow-methods: POST',
        `access-control-allow-origin: ${SHOP}`,
        'access-control-expose-headers: Retry-After, X-Request-Id, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin',
        'access-control-max-age: 600',
        'vary: Origin',
      ],
    );
    assert.equal(collector.begun(), 0);
  });

  it('leaves the connection to the request that follows', async (t) => {
    const { gateway, key } = await setUp(t);
    const post = [
      `Host: x`,
      `Origin: ${SHOP}`,
      `X-API-Key: ${key}`,
      'Content-Type: application/json',
      'Content-Length: 2',
      'Connection: close',
    ];
    const preflight = PREFLIGHT.filter((line) => !line.startsWith('Connection'));
    const { statuses } = await converse(
      t,
      gateway.addresses.http.port,
      request('OPTIONS /v1/traces HTTP/1.1', preflight) + request('POST /v1/traces HTTP/1.1', post, '{}'),
    );
    assert.deepEqual(statuses, [204, 200]);
  });

  it('is answered over HTTP/2 as well', async (t) => {
    const { gateway } = await setUp(t);
    const session = await connectGrpc(t, gateway.httpUrl);
    const headers = { origin: SHOP, 'access-control-request-method': 'POST' };
    const answer = await callHttpOverH2(session, { method: 'OPTIONS', headers, body: '' });
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [204, SHOP]);
  });

  it('from any other origin is an OPTIONS like any other, and says nothing of origins', async (t) => {
    const { gateway } = await setUp(t);
    for (const origin of [ELSEWHERE, 'null', `${SHOP}.evil.example`, `${SHOP}, ${ELSEWHERE}`, SHOP.toUpperCase()]) {
      const { text, statuses } = await converse(
        t,
        gateway.addresses.http.port,
        request('OPTIONS /v1/traces HTTP/1.1', preflightFrom(origin)),
      );
      assert.deepEqual(
        [statuses, /access-control/i.test(text), /vary: Origin/.test(text)],
        [[405], false, true],
        origin,
      );
    }
  });

  it('for no route is told so, and may read that', async (t) => {
    const { gateway } = await setUp(t);
    const { text, statuses } = await converse(
      t,
      gateway.addresses.http.port,
      request('OPTIONS /v1/unknown HTTP/1.1', PREFLIGHT),
    );
    assert.deepEqual([statuses, text.includes(`access-control-allow-origin: ${SHOP}`)], [[404], true]);
  });

  it('is not answered at all while no origin is configured: OPTIONS stays a method that is not allowed', async (t) => {
    const { gateway, key } = await setUp(t, { origins: [] });
    const { text, statuses } = await converse(
      t,
      gateway.addresses.http.port,
      request('OPTIONS /v1/traces HTTP/1.1', PREFLIGHT),
    );
    assert.deepEqual([statuses, /access-control|vary/i.test(text)], [[405], false]);
    const { headers } = await callHttp(gateway.httpUrl, { headers: { origin: SHOP, 'x-api-key': key } });
    assert.deepEqual(corsFields(headers), {});
  });

  it('whose end is doubtful is refused with its connection, like any request', async (t) => {
    const { gateway } = await setUp(t);
    const fields = [...PREFLIGHT.filter((line) => !line.startsWith('Connection')), 'Transfer-Encoding: gzip, chunked'];
    const { statuses } = await converse(
      t,
      gateway.addresses.http.port,
      request('OPTIONS /v1/traces HTTP/1.1', fields, '0\r\n\r\n'),
    );
    assert.deepEqual(statuses, [400]);
  });
});

describe('a page from an origin that is allowed', () => {
  it('may read what the collector answers', async (t) => {
    const { gateway, key } = await setUp(t);
    const { status, headers } = await callHttp(gateway.httpUrl, { headers: { origin: SHOP, 'x-api-key': key } });
    assert.deepEqual([status, corsFields(headers)], [200, READABLE]);
  });

  it('may read every refusal, so that it does not repeat what was refused for good', async (t) => {
    const { collector, gateway, key } = await setUp(t);
    const scoped = await gateway.createKey({ origins: [ELSEWHERE] });
    const limited = await gateway.createKey({ limits: { requestsPerSecond: 1 } });
    await callHttp(gateway.httpUrl, { headers: { 'x-api-key': limited.text } });
    await collector.close();
    const seen = [];
    const calls = [
      { headers: {} },
      { headers: { 'x-api-key': 'unknown' } },
      { headers: { 'x-api-key': scoped.text } },
      { headers: { 'x-api-key': limited.text } },
      { headers: { 'x-api-key': key } },
      { headers: { 'x-api-key': key }, path: '/nowhere' },
      { headers: { 'x-api-key': key }, method: 'PUT' },
      { headers: { 'x-api-key': key, 'content-length': 1_000_000_000, expect: '100-continue' } },
    ];
    for (const call of calls) {
      const { status, headers, body } = await callHttp(gateway.httpUrl, {
        ...call,
        headers: { ...call.headers, origin: SHOP },
      });
      assert.deepEqual(corsFields(headers), READABLE);
      seen.push(`${status} ${reasonOf(decodeStatus(body))}`);
    }
    assert.deepEqual(seen, [
      '403 missing_credential',
      '403 unknown_key',
      '403 origin_not_allowed',
      '429 rate_limited',
      '503 upstream_unavailable',
      '404 not_found',
      '405 method_not_allowed',
      '413 body_too_large',
    ]);
  });

  it('gets one answer on origins, ours, whatever the collector says of them', async (t) => {
    const { gateway, key } = await setUp(t, {
      onHttp: (response) => {
        response.setHeader('Access-Control-Allow-Origin', '*');
        response.setHeader('Access-Control-Allow-Credentials', 'true');
        response.setHeader('Vary', 'Accept-Encoding');
        response.end();
      },
    });
    const page = await callHttp(gateway.httpUrl, { headers: { origin: SHOP, 'x-api-key': key } });
    assert.deepEqual(corsFields(page.headers), { ...READABLE, vary: 'Accept-Encoding, Origin' });
    const other = await callHttp(gateway.httpUrl, { headers: { origin: ELSEWHERE, 'x-api-key': key } });
    assert.deepEqual(corsFields(other.headers), { vary: 'Accept-Encoding, Origin' });
  });

  it('is any page, when all origins are allowed; what it calls itself is not repeated', async (t) => {
    const { gateway, key } = await setUp(t, { origins: ['*'] });
    for (const origin of [SHOP, ELSEWHERE, 'null']) {
      const { headers } = await callHttp(gateway.httpUrl, { headers: { origin, 'x-api-key': key } });
      assert.deepEqual(corsFields(headers), { ...READABLE, 'access-control-allow-origin': '*' });
    }
  });
});

describe('whoever is no page from an allowed origin', () => {
  it('is served as ever and told nothing of origins', async (t) => {
    const { gateway, key } = await setUp(t);
    for (const headers of [{ 'x-api-key': key }, { 'x-api-key': key, origin: ELSEWHERE }]) {
      const answer = await callHttp(gateway.httpUrl, { headers });
      assert.deepEqual([answer.status, corsFields(answer.headers)], [200, { vary: 'Origin' }]);
    }
  });
});
