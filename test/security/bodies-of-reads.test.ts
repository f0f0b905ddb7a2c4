import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { connectGrpc } from '../support/grpc-client.ts';
import { converse, request } from '../support/raw-http.ts';
import type { Conversation } from '../support/raw-http.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/**
 * A GET with a body is read by some servers as one request and by others as two (RFC 9110 section 9.3.1). The route that is
 * read must not become a way past the gate.
 */
const SMUGGLED = request('GET /remote-config HTTP/1.1', ['Host: x', 'x-keygate-key-id: 1']);
const CHUNKED = 'Transfer-Encoding: chunked';
const CHUNK = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;

async function setUp(t: TestContext) {
  const upstream = await startRawUpstream(t);
  const gateway = await startGateway(t, { routes: { remoteConfig: { target: upstream.url } } });
  const { text: key } = await gateway.createKey({ type: 'sensor' });
  const send = (method: string, fields: readonly string[], body = ''): Promise<Conversation> =>
    converse(
      t,
      gateway.addresses.http.port,
      request(`${method} /remote-config HTTP/1.1`, ['Host: gateway', `X-API-Key: ${key}`, ...fields], body),
    );
  return { upstream, gateway, key, send };
}

test('a GET or HEAD with a body is refused, and its body is no request', async (t) => {
  const { upstream, send } = await setUp(t);
  for (const method of ['GET', 'HEAD']) {
    for (const [fields, body] of [
      [[`Content-Length: ${SMUGGLED.length}`], SMUGGLED],
      [[CHUNKED], CHUNK],
      [[CHUNKED], '0\r\n\r\n'],
      [['Transfer-Encoding: gzip, chunked'], CHUNK],
      [[CHUNKED, 'Content-Length: 0'], CHUNK],
      [['Content-Length: 0, 5'], SMUGGLED],
    ] as const) {
      const { statuses } = await send(method, fields, body);
      assert.deepEqual(statuses, [400], `${method} ${fields.join()}`);
    }
  }
  assert.equal(upstream.received(), '');
});

test('a GET that says that it has no body goes on without saying so, and what is behind it needs a key of its own', async (t) => {
  const { upstream, send } = await setUp(t);
  for (const fields of [[], ['Content-Length: 0'], ['Connection: content-length', 'Content-Length: 0']]) {
    const { statuses } = await send(
      'GET',
      fields,
      SMUGGLED + request('GET / HTTP/1.1', ['Host: x', 'Connection: close']),
    );
    assert.deepEqual(statuses, [200, 403, 404], fields.join());
  }
  assert.equal(upstream.requests.length, 3);
  for (const { head, body } of upstream.requests) {
    assert.match(head, /^GET \/remote-config HTTP\/1\.1\r\n/);
    assert.doesNotMatch(head, /^(?:content-length|transfer-encoding|expect):/im);
    assert.equal(body, '');
  }
});

test('a GET with a body over HTTP/2 is refused, whatever length it announces', async (t) => {
  const { upstream, gateway, key } = await setUp(t);
  const session = await connectGrpc(t, gateway.httpUrl);
  for (const length of [{}, { 'content-length': SMUGGLED.length }]) {
    for (const method of ['GET', 'HEAD']) {
      const headers = { ':method': method, ':path': '/remote-config', 'x-api-key': key, ...length };
      const stream = session.request(headers, { endStream: false });
      const [{ ':status': status }] = (await once(stream, 'response')) as [{ ':status'?: number }];
      assert.equal(status, 400);
      stream.on('error', () => {});
      stream.end(SMUGGLED);
      stream.resume();
    }
  }
  assert.equal(upstream.received(), '');
});
