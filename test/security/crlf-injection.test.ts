import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, END_STREAM, frame, FRAME } from '../support/h2-frames.ts';
import type { Fields } from '../support/h2-frames.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { until } from '../support/wait.ts';

const NAME = 'a\r\nx-admin: 1\r\n\r\nGET / HTTP/1.1';
const TENANT = 'Größe\n100 %';
const KEYS = { receiverKeys: [{ name: NAME, key: 'legacy', tenant: TENANT }] };
const ENCODED = ['a%0D%0Ax-admin: 1%0D%0A%0D%0AGET / HTTP/1.1', 'Gr%C3%B6%C3%9Fe%0A100 %25'];

test('line breaks in the name of a key end no header field over HTTP', async (t) => {
  const { upstream, send } = await startRawPath(t, { keys: KEYS });
  const fields = ['Host: x', 'X-API-Key: legacy', 'Content-Length: 0', 'Connection: close'];
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [200]);
  const lines = upstream.requests[0]?.head.split('\r\n') ?? [];
  assert.ok(lines.includes(`x-keygate-key-name: ${ENCODED[0]}`), lines.join('\n'));
  assert.ok(lines.includes(`x-keygate-tenant: ${ENCODED[1]}`), lines.join('\n'));
  assert.equal(upstream.requests.length, 1);
});

test('line breaks in the name of a key end no metadata over gRPC', async (t) => {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl }, keys: KEYS });
  const { code } = await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers: { 'x-api-key': 'legacy' } });
  assert.equal(code, 0);
  const [arrival] = collector.arrivals;
  assert.deepEqual(arrival?.headers['x-keygate-key-name'], [ENCODED[0]]);
  assert.deepEqual(arrival?.headers['x-keygate-tenant'], [ENCODED[1]]);
});

/** What HTTP/2 can carry and HTTP/1.1 cannot: on the way from one to the other it would become other fields or requests. */
const SMUGGLED = 'POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-keygate-key-id: 1\r\ncontent-length: 0\r\n\r\n';

// oxfmt-ignore
const DOWNGRADES: Readonly<Record<string, { readonly fields?: Fields; readonly replace?: Readonly<Record<string, string>>; readonly body?: string }>> = {
  'a line break in a value': { fields: [['x-a', `b\r\n\r\n${SMUGGLED}`]] },
  'a line feed in a value': { fields: [['x-a', 'b\nx-keygate-key-id: 1']] },
  'a NUL in a value': { fields: [['x-a', 'b\0c']] },
  'a line break in a name': { fields: [['x-a: b\r\nx-keygate-key-id', '1']] },
  'a colon in a name': { fields: [['x-keygate-key-id: 1', '']] },
  'a capital letter in a name': { fields: [['X-Keygate-Key-Id', '1']] },
  'a line break in the path': { replace: { ':path': `/v1/traces HTTP/1.1\r\nx-keygate-key-id: 1\r\n\r\n${SMUGGLED}` } },
  'a space in the path': { replace: { ':path': '/v1/traces HTTP/1.1 x' } },
  'a request in the method': { replace: { ':method': `POST /v1/traces HTTP/1.1\r\n${SMUGGLED}` } },
  'a line break in the authority': { replace: { ':authority': 'x\r\nx-keygate-key-id: 1' } },
  'chunked (H2.TE)': { fields: [['transfer-encoding', 'chunked']], body: `0\r\n\r\n${SMUGGLED}` },
  'a length that is shorter than the body (H2.CL)': { fields: [['content-length', '0']], body: SMUGGLED },
  'a length that is longer than the body': { fields: [['content-length', '1000']], body: 'abc' },
  'two lengths': { fields: [['content-length', '3'], ['content-length', '0']], body: 'abc' },
  'a Connection field': { fields: [['connection', 'x-keygate-key-id']] },
  'an Upgrade field': { fields: [['upgrade', 'h2c']] },
  'a second path': { fields: [[':path', '/v1/logs']] },
  'a pseudo-header field after the others': { fields: [['x-a', 'b'], [':scheme', 'http']] },
  'a pseudo-header field that does not exist': { fields: [[':x-keygate-key-id', '1']] },
};

test('what HTTP/2 says becomes no other fields and no other requests over HTTP/1.1', async (t) => {
  const upstream = await startRawUpstream(t);
  const gateway = await startGateway(t, { upstream: { http: upstream.url } });
  const { text: key } = await gateway.createKey();

  for (const [sentence, { fields = [], replace = {}, body = '' }] of Object.entries(DOWNGRADES)) {
    await t.test(sentence, async (t) => {
      const connection = await connectFrames(t, gateway.addresses.http.port);
      const pseudo: Fields = [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':authority', 'gateway'],
        [':path', '/v1/traces'],
      ];
      const head = [
        ...pseudo.map(([name, value]) => [name, replace[name] ?? value] as const),
        ['x-api-key', key] as const,
        ...fields,
      ];
      await connection.send(
        frame(FRAME.HEADERS, END_HEADERS, 1, block(head)),
        frame(FRAME.DATA, END_STREAM, 1, Buffer.from(body)),
      );
      await until(
        'it is answered, reset or the connection closed',
        () =>
          connection.socket.destroyed ||
          [FRAME.HEADERS, FRAME.RST_STREAM, FRAME.GOAWAY].some((type) => connection.of(type).length > 0),
      );
      connection.socket.destroy();
      assert.doesNotMatch(upstream.received(), /^x-keygate-key-id: 1\r$/m);
      assert.deepEqual(
        upstream.requests.filter((one) => one.body !== '' || !one.head.includes('x-keygate-key-name: test-1')),
        [],
      );
    });
  }
});
