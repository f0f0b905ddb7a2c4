import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerGrpc, startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/** Field names that are properties of every object in JavaScript. */
const INHERITED = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf'];

test('a request with fields named like properties of every object goes on as it is', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const strange = INHERITED.map((name) => `${name}: sent`);
  const fields = ['Host: gateway', `X-API-Key: ${key}`, ...strange, 'Content-Length: 0', 'Connection: close'];

  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [200]);

  const lines = upstream.requests[0]?.head.split('\r\n') ?? [];
  const arrived = lines.filter((line) =>
    INHERITED.some((name) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`)),
  );
  const sent = strange.map((line) => line.toLowerCase());
  assert.deepEqual(
    arrived.filter((line) => !sent.includes(line.toLowerCase())),
    [],
  );
});

test('a collector’s answer with such fields reaches the sender and ends nothing', async (t) => {
  const fields = { constructor: 'said', valueof: 'said' };
  const collector = await startCollector(t, {
    onHttp: (response) => response.writeHead(200, fields).end(),
    onGrpc(stream) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...fields }));
      stream.end(Buffer.alloc(5));
    },
  });
  const gateway = await startGateway(t, { upstream: { http: collector.httpUrl, grpc: collector.grpcUrl } });
  const { text: key } = await gateway.createKey();

  const overHttp = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
  assert.deepEqual(
    [overHttp.status, overHttp.headers['constructor'], overHttp.headers['valueof']],
    [200, 'said', 'said'],
  );

  const overGrpc = await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers: { 'x-api-key': key } });
  assert.deepEqual(
    [overGrpc.code, overGrpc.headers['constructor'], overGrpc.trailers?.['constructor']],
    [0, 'said', 'said'],
  );
});

test('gRPC metadata with such names, or with values that are no base64, ends nothing', async (t) => {
  const collector = await startCollector(t, { onGrpc: answerGrpc });
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
  const { text: key } = await gateway.createKey();
  const session = await connectGrpc(t, gateway.grpcAddress);
  const oddities: Record<string, string>[] = [
    { constructor: 'x' },
    { 'odd-bin': '%%%, not base64' },
    { 'grpc-encoding': 'constructor' },
    { 'grpc-accept-encoding': '' },
    { 'content-length': '0' },
  ];
  for (const headers of oddities) {
    const { code, resetCode } = await callGrpc(session, { headers: { 'x-api-key': key, ...headers }, body: [] });
    assert.ok([0, 3, 14].includes(code) || resetCode !== 0, `${JSON.stringify(headers)}: ${code}`);
  }
  assert.equal((await callGrpc(session, { headers: { 'x-api-key': key } })).code, 0);
});
