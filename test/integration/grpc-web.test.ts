import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc, reasonOf, TRACES_PATH } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { converse, request } from '../support/raw-http.ts';
import { decodeStatus } from '../support/rpc-status.ts';

const SHOP = 'https://shop.example.com';
const TYPES = [
  'application/grpc-web',
  'application/grpc-web+proto',
  'application/grpc-web-text',
  'application/grpc-web-text+proto',
] as const;

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    cors: { origins: [SHOP] },
  });
  const { text: key } = await gateway.createKey();
  const grpcPort = await connectGrpc(t, gateway.grpcAddress);
  const ways: Readonly<Record<string, (call: HttpCall) => Promise<HttpAnswer>>> = {
    'HTTP/1.1': (call) => callHttp(gateway.httpUrl, call),
    'HTTP/1.1 on the port of gRPC': (call) => callHttp(`http://${gateway.grpcAddress}`, call),
    'HTTP/2': (call) => callHttpOverH2(grpcPort, call),
  };
  return { collector, gateway, key, grpcPort, ways };
}

describe('gRPC-Web', () => {
  it('is refused where its clients look for it, over either version of HTTP, with the way that there is', async (t) => {
    const { collector, gateway, key, ways } = await setUp(t);
    for (const [how, call] of Object.entries(ways)) {
      for (const type of TYPES) {
        const headers = { 'content-type': type, origin: SHOP, 'x-grpc-web': '1', 'x-api-key': key };
        const answer = await call({ path: TRACES_PATH, headers, body: Buffer.alloc(5) });
        const details = Buffer.from(answer.headers['grpc-status-details-bin'] ?? '', 'base64');
        assert.deepEqual(
          {
            status: answer.status,
            type: answer.headers['content-type'],
            code: answer.headers['grpc-status'],
            origin: answer.headers['access-control-allow-origin'],
            body: answer.body.length,
            reason: reasonOf(decodeStatus(details)),
          },
          { status: 200, type, code: '12', origin: SHOP, body: 0, reason: 'grpc_only' },
          how,
        );
        assert.match(answer.headers['grpc-message'] ?? '', /gRPC-Web is not spoken here.*\/v1\/traces/, how);
        assert.match(answer.headers['access-control-expose-headers'] ?? '', /Grpc-Status, Grpc-Message/, how);
      }
    }
    assert.equal(collector.begun(), 0);
    assert.equal(
      await gateway.metric('keygate_requests_total', { reason: 'grpc_only' }),
      TYPES.length * Object.keys(ways).length,
    );
  });

  it('may be asked for by an allowed page: without that, its browser would not let it read the refusal', async (t) => {
    const { collector, gateway, grpcPort } = await setUp(t);
    const asking = { origin: SHOP, 'access-control-request-method': 'POST' };
    const { text } = await converse(
      t,
      gateway.addresses.http.port,
      request(`OPTIONS ${TRACES_PATH} HTTP/1.1`, [
        'Host: otlp.example.com',
        `Origin: ${SHOP}`,
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: content-type,x-grpc-web,x-user-agent,x-api-key',
        'Connection: close',
      ]),
    );
    assert.match(text, /^HTTP\/1\.1 204 /);
    assert.match(text, /access-control-allow-methods: POST\r\n/i);
    const overHttp2 = await callHttpOverH2(grpcPort, {
      method: 'OPTIONS',
      path: TRACES_PATH,
      headers: asking,
      body: '',
    });
    assert.deepEqual([overHttp2.status, overHttp2.headers['access-control-allow-origin']], [204, SHOP]);
    assert.equal(collector.begun(), 0);
  });

  it('hears of every other refusal in the same way', async (t) => {
    const { ways } = await setUp(t);
    const headers = { 'content-type': 'application/grpc-web+proto; charset=x', 'x-api-key': 'unknown' };
    const { status, headers: fields } = await (ways['HTTP/1.1'] as (call: HttpCall) => Promise<HttpAnswer>)({
      headers,
    });
    assert.deepEqual([status, fields['content-type'], fields['grpc-status']], [200, 'application/grpc-web+proto', '7']);
  });
});

describe('a request over HTTP to a method of gRPC', () => {
  it('that is not gRPC-Web either is told the same in its own encoding', async (t) => {
    const { ways, key } = await setUp(t);
    for (const [how, call] of Object.entries(ways)) {
      for (const type of ['application/x-protobuf', 'application/grpcx']) {
        const { status, body } = await call({ path: TRACES_PATH, headers: { 'content-type': type, 'x-api-key': key } });
        const reason = type === 'application/grpcx' ? /\(grpc_only, /.test(String(body)) : reasonOf(decodeStatus(body));
        assert.deepEqual([status, reason], [415, type === 'application/grpcx' ? true : 'grpc_only'], `${how}, ${type}`);
      }
    }
  });
});
