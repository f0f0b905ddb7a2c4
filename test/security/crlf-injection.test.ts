import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { DOWNGRADE_CASES, isOver, requestFrames } from '../support/downgrade-cases.ts';
import { connectFrames } from '../support/h2-frames.ts';
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

test('what HTTP/2 says becomes no other fields and no other requests over HTTP/1.1', async (t) => {
  const upstream = await startRawUpstream(t);
  const gateway = await startGateway(t, { upstream: { http: upstream.url } });
  const { text: key } = await gateway.createKey();

  for (const one of DOWNGRADE_CASES) {
    await t.test(one.sentence, async (t) => {
      const before = upstream.requests.length;
      const connection = await connectFrames(t, gateway.addresses.http.port);
      await connection.send(...requestFrames(1, key, one));
      await until('it is answered, reset or the connection closed', () => isOver(connection, 1));
      connection.socket.destroy();
      const arrived = upstream.requests.slice(before);
      assert.ok(arrived.length <= 1, upstream.received());
      for (const { head, body } of arrived) {
        assert.equal(body, one.body ?? '');
        assert.match(head, /^POST \/v1\/traces HTTP\/1\.1\r\n/);
        assert.match(head, /^x-keygate-key-name: test-1\r$/m);
        assert.doesNotMatch(head, /^x-keygate-key-id: 1\r$/m);
      }
    });
  }
});
