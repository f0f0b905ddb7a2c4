import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerGrpc, startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/**
 * GHSA-4xc6-mgv4-5v44: a next hop that obeys `Connection: x-keygate-tenant` deletes what we say of the key, or whatever
 * else it is told to delete, if the field is passed on to it.
 */
const NAMES = ['x-keygate-key-id', 'X-Keygate-Tenant', 'authorization', 'X-API-Key', 'content-type'];

test('a Connection field that names our fields takes none of them away, and does not go on itself', async (t) => {
  const { gateway, upstream, send } = await startRawPath(t);
  const { text: key, id } = await gateway.createKey({ name: 'checkout', tenant: 'acme' });
  const fields = ['Host: gateway', `X-API-Key: ${key}`, 'Content-Length: 0', `Connection: close, ${NAMES.join(', ')}`];

  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [200]);

  const head = upstream.requests[0]?.head ?? '';
  assert.match(head, new RegExp(`^x-keygate-key-id: ${id}$`, 'm'));
  assert.match(head, /^x-keygate-key-name: checkout$/m);
  assert.match(head, /^x-keygate-tenant: acme$/m);
  assert.deepEqual(head.match(/^connection:.*$/gim), ['Connection: keep-alive']);
});

test('a field that Connection names does not go on, be it one of every request or of this one alone', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const fields = [
    'Host: gateway',
    `X-API-Key: ${key}`,
    'X-Named: 1',
    'Traceparent: 00-1',
    'X-Kept: 1',
    'Content-Length: 0',
  ];
  const { statuses } = await send(
    request('POST /v1/traces HTTP/1.1', [...fields, 'Connection: close, x-named, Traceparent']),
  );
  assert.deepEqual(statuses, [200]);
  assert.deepEqual(upstream.requests[0]?.head.match(/^(?:x-named|traceparent|x-kept):.*$/gim), ['x-kept: 1']);
});

test('a Connection field that names the credential does not hide it from us', async (t) => {
  const { key, send } = await startRawPath(t);
  const fields = (credential: string): string[] => [
    'Host: gateway',
    credential,
    'Content-Length: 0',
    'Connection: close, x-api-key',
  ];
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields(`X-API-Key: ${key}`)))).statuses, [200]);
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields(`X-API-Key: ${key}x`)))).statuses, [403]);
});

test('no field of the sender’s connection goes on to the collector', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const hopByHop = [
    'TE: trailers, gzip',
    'Trailer: x-keygate-key-id',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic Zm9vOmJhcg==',
    'Proxy-Authenticate: Basic',
    'Expect: 100-continue',
    'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
  ];
  const fields = [
    'Host: gateway',
    `X-API-Key: ${key}`,
    ...hopByHop,
    'X-Kept: 1',
    'Content-Length: 0',
    'Connection: close',
  ];

  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [100, 200]);

  const names = upstream.requests[0]?.head
    .split('\r\n')
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(':')).toLowerCase());
  assert.deepEqual(names?.toSorted(), [
    'connection',
    'content-length',
    'host',
    'x-kept',
    'x-keygate-key-id',
    'x-keygate-key-name',
  ]);
});

test('an upgrade to h2c is not forwarded, and what is pipelined behind it is not read', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'];
  const first = request(
    'POST /v1/traces HTTP/1.1',
    ['Host: gateway', `X-API-Key: ${key}`, ...upgrade, 'Content-Length: 3'],
    'abc',
  );
  const second = request('POST /v1/logs HTTP/1.1', ['Host: gateway', `X-API-Key: ${key}`, 'Content-Length: 0']);

  const { statuses, text } = await send(first + second);

  assert.deepEqual(statuses, [200]);
  assert.match(text, /^connection: close$/im);
  assert.deepEqual(
    upstream.requests.map(({ body }) => body),
    ['abc'],
  );
  assert.doesNotMatch(upstream.received(), /upgrade|h2c|settings/i);
});

test('an upgrade to WebSocket is an ordinary request', async (t) => {
  const { key, send } = await startRawPath(t);
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];
  const { statuses } = await send(
    request('GET /v1/traces HTTP/1.1', ['Host: gateway', `X-API-Key: ${key}`, ...upgrade]),
  );
  assert.deepEqual(statuses, [405]);
});

test('fields of a connection in a gRPC request do not go on', async (t) => {
  const collector = await startCollector(t, { onGrpc: answerGrpc });
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
  const { text: key, id } = await gateway.createKey();
  const headers = {
    'x-api-key': key,
    te: 'trailers',
    trailer: 'x-keygate-key-id',
    'proxy-authorization': 'Basic Zm9vOmJhcg==',
  };

  assert.equal((await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers })).code, 0);

  const [arrival] = collector.arrivals;
  assert.deepEqual(arrival?.headers['x-keygate-key-id'], [id]);
  assert.equal(arrival?.headers['trailer'] ?? arrival?.headers['proxy-authorization'], undefined);
});
