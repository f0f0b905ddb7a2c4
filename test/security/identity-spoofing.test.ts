import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import type { Arrival } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, END_STREAM, frame, FRAME, grpcHead } from '../support/h2-frames.ts';
import type { Fields } from '../support/h2-frames.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { until } from '../support/wait.ts';

/** Only Keygate says whose telemetry it is. A sender with any key could else write into the data of all others. */

const SPELLINGS = [
  'X-Keygate-Key-Id',
  'x-keygate-key-id',
  'X_KEYGATE_KEY_ID',
  'x_keygate-key.id',
  'x.keygate.tenant',
  'X-Keygate-Tenant',
  'x~keygate!tenant',
  'X-KEYGATE-KEY-NAME',
  'x-keygate-something-new',
];

/** A key without a tenant: so a tenant that arrives was forged. */
const EXPECTED = (id: string): string[] => [`x-keygate-key-id: ${id}`, 'x-keygate-key-name: test-1'];

function saysOfKey(lines: readonly string[]): string[] {
  return lines.filter((line) => /^x.keygate/i.test(line)).toSorted();
}

function linesOf({ headers }: Arrival): string[] {
  return Object.entries(headers).flatMap(([name, values]) => values.map((value) => `${name}: ${value}`));
}

test('over HTTP/1.1 no spelling of our identity fields gets past us, however often it is sent', async (t) => {
  const { upstream, key, keyId, send } = await startRawPath(t);
  const forged = [...SPELLINGS, ...SPELLINGS].map((name) => `${name}: forged`);
  const fields = ['Host: gateway', ...forged, `X-API-Key: ${key}`, ...forged, 'Content-Length: 0', 'Connection: close'];
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [200]);
  assert.deepEqual(saysOfKey(upstream.requests[0]?.head.split('\r\n') ?? []), EXPECTED(keyId));
  assert.doesNotMatch(upstream.received(), /forged/);
});

test('over HTTP/1.1 trailers do not go on', async (t) => {
  const { upstream, key, keyId, send } = await startRawPath(t);
  const fields = [
    'Host: gateway',
    `X-API-Key: ${key}`,
    'Trailer: x-keygate-key-id',
    'Transfer-Encoding: chunked',
    'Connection: close',
  ];
  const body = '3\r\nabc\r\n0\r\nx-keygate-key-id: forged\r\nx-keygate-tenant: forged\r\n\r\n';
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields, body))).statuses, [200]);
  assert.deepEqual(saysOfKey(upstream.requests[0]?.head.split('\r\n') ?? []), EXPECTED(keyId));
  assert.doesNotMatch(upstream.received(), /forged/);
});

for (const [protocol, head] of [
  ['gRPC', grpcHead()],
  [
    'HTTP',
    grpcHead()
      .filter(([name]) => name !== 'content-type' && name !== 'te')
      .map(([name, value]) => [name, name === ':path' ? '/v1/traces' : value] as const),
  ],
] as const) {
  test(`over HTTP/2, as ${protocol}, neither fields nor trailers say who it is`, async (t) => {
    const collector = await startCollector(t);
    const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl, http: collector.httpUrl } });
    const { text: key, id } = await gateway.createKey();
    const connection = await connectFrames(t, gateway.addresses.grpc.port);
    const forged: Fields = [...SPELLINGS, ...SPELLINGS].map((name) => [name.toLowerCase(), 'forged']);

    await connection.send(
      frame(FRAME.HEADERS, END_HEADERS, 1, block([...head, ...forged, ['x-api-key', key], ...forged])),
      frame(FRAME.DATA, 0, 1, Buffer.alloc(5)),
      frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 1, block(forged)),
    );
    await until('the request has arrived', () => collector.arrivals.length === 1);

    const lines = collector.arrivals.flatMap(linesOf);
    assert.deepEqual(saysOfKey(lines), EXPECTED(id));
    assert.deepEqual(
      lines.filter((line) => line.includes('forged')),
      [],
    );
  });
}
