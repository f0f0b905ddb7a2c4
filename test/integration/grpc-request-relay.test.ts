import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { startCollector } from '../support/collector.ts';
import type { Arrival, Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, readRefusal } from '../support/grpc-client.ts';
import type { GrpcCall, Refusal } from '../support/grpc-client.ts';

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly session: http2.ClientHttp2Session;
  readonly key: string;
}

async function setUp(t: TestContext): Promise<Setup> {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
  const { text: key } = await gateway.createKey();
  return { gateway, collector, key, session: await connectGrpc(t, gateway.grpcAddress) };
}

async function deliver({ session, collector, key }: Setup, call: GrpcCall): Promise<Arrival> {
  const answer = await callGrpc(session, { ...call, headers: { 'x-api-key': key, ...call.headers } });
  assert.deepEqual([answer.code, answer.message], [0, undefined]);
  const arrival = collector.arrivals.at(-1);
  assert.ok(arrival);
  return arrival;
}

describe('a gRPC request on its way to the collector', () => {
  for (const [encoding, compress] of [
    ['zstd', (payload: Buffer) => zstdCompressSync(payload)],
    ['snappy', (payload: Buffer) => payload], // what is inside is nobody's business here
    ['zstdarrow3', (payload: Buffer) => payload],
  ] as const) {
    it(`passes byte for byte when it is compressed with ${encoding}, which the gateway cannot read`, async (t) => {
      const body = frame(compress(randomBytes(50_000)), true);
      const arrival = await deliver(await setUp(t), {
        body,
        headers: { 'grpc-encoding': encoding, 'grpc-accept-encoding': `${encoding},gzip` },
      });
      assert.deepEqual(
        {
          body: arrival.body.equals(body),
          sent: arrival.headers['grpc-encoding'],
          accepted: arrival.headers['grpc-accept-encoding'],
        },
        { body: true, sent: [encoding], accepted: [`${encoding},gzip`] },
      );
    });
  }

  it('passes byte for byte wherever its DATA frames begin and end', async (t) => {
    const setup = await setUp(t);
    const body = frame(randomBytes(1_000), true);
    const cuts: Record<string, Buffer[]> = {
      'one byte each': [...body].map((byte) => Buffer.from([byte])),
      'within the prefix': [body.subarray(0, 3), body.subarray(3)],
      'after the prefix': [body.subarray(0, 5), body.subarray(5)],
      'before the last byte': [body.subarray(0, -1), body.subarray(-1)],
      'two messages in one frame': [Buffer.concat([body, body])],
      'from one message into the next': [Buffer.concat([body, body.subarray(0, 7)]), body.subarray(7)],
    };
    for (const [cut, parts] of Object.entries(cuts)) {
      const arrival = await deliver(setup, { body: parts });
      assert.ok(arrival.body.equals(Buffer.concat(parts)), cut);
    }
  });

  it('passes when it is empty: a message without fields is five bytes, and no message at all is none', async (t) => {
    const setup = await setUp(t);
    assert.equal((await deliver(setup, { body: frame(Buffer.alloc(0)) })).bodyBytes, 5);
    assert.equal((await deliver(setup, { body: [] })).bodyBytes, 0);
  });

  it('reaches each of the four services under its own path', async (t) => {
    const setup = await setUp(t);
    const paths = [
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
      '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
      '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
    ];
    for (const path of paths) await deliver(setup, { path });
    assert.deepEqual(
      setup.collector.arrivals.map(({ method, path }) => [method, path]),
      paths.map((path) => ['POST', path]),
    );
  });

  it('keeps its metadata, binary metadata too, and gets the headers of the next hop', async (t) => {
    const binary = randomBytes(33);
    const { headers } = await deliver(await setUp(t), {
      headers: {
        'x-scope-orgid': 'team-a',
        'x-twice': ['one', 'two'],
        'trace-bin': [binary.toString('base64'), Buffer.from('ab').toString('base64').replaceAll('=', '')],
        'content-type': 'application/grpc+proto',
        'user-agent': 'OTel-OTLP-Exporter-Test/1.0',
      },
    });
    assert.deepEqual(headers['x-scope-orgid'], ['team-a']);
    assert.deepEqual(
      headers['x-twice']?.flatMap((value) => value.split(/, ?/)),
      ['one', 'two'],
    );
    const received = headers['trace-bin']
      ?.flatMap((value) => value.split(/, ?/))
      .map((value) => Buffer.from(value, 'base64'));
    assert.deepEqual(received, [binary, Buffer.from('ab')]);
    assert.deepEqual(headers['te'], ['trailers']);
    assert.match(headers['content-type']?.join() ?? '', /^application\/grpc(\+proto)?$/);
  });
});

describe('a gRPC request that is none', () => {
  const REFUSALS: readonly (readonly [
    what: string,
    call: GrpcCall,
    expected: Omit<Refusal, 'trailersOnly' | 'retrySeconds'>,
  ])[] = [
    ['for an unknown service', { path: '/grpc.health.v1.Health/Check' }, { code: 12, reason: 'not_found' }],
    [
      'for a known service under another case',
      { path: '/opentelemetry.proto.collector.trace.v1.traceservice/export' },
      { code: 12, reason: 'not_found' },
    ],
    [
      'for a known service with a query',
      { path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export?x=1' },
      { code: 12, reason: 'not_found' },
    ],
    [
      'for OTel-Arrow, whose exporter then falls back to OTLP',
      { path: '/opentelemetry.proto.experimental.arrow.v1.ArrowTracesService/ArrowTraces' },
      { code: 12, reason: 'not_found' },
    ],
    ['with another method', { headers: { ':method': 'GET' }, body: [] }, { code: 12, reason: 'method_not_allowed' }],
    ['with a timeout without a unit', { headers: { 'grpc-timeout': '100' } }, { code: 3, reason: 'bad_request' }],
    [
      'with a timeout of nine digits',
      { headers: { 'grpc-timeout': '100000000n' } },
      { code: 3, reason: 'bad_request' },
    ],
    ['with a negative timeout', { headers: { 'grpc-timeout': '-1S' } }, { code: 3, reason: 'bad_request' }],
    ['with a key that nobody made', { headers: { 'x-api-key': 'unknown' } }, { code: 7, reason: 'unknown_key' }],
    ['without a key', { headers: { 'x-api-key': undefined } }, { code: 7, reason: 'missing_credential' }],
  ];

  it('is refused with trailers only, without a retry hint, and leaves its connection usable', async (t) => {
    const setup = await setUp(t);
    for (const [what, call, expected] of REFUSALS) {
      const answer = await callGrpc(setup.session, { ...call, headers: { 'x-api-key': setup.key, ...call.headers } });
      assert.deepEqual(readRefusal(answer), { ...expected, trailersOnly: true, retrySeconds: undefined }, what);
      assert.deepEqual(
        [answer.httpStatus, answer.headers['content-type'], answer.resetCode],
        [200, 'application/grpc', 0],
        what,
      );
    }
    assert.deepEqual(setup.collector.arrivals, []);
    await deliver(setup, {});
  });

  it('is answered before its body has come, and what it goes on sending does not reach the collector', async (t) => {
    const { session, collector } = await setUp(t);
    const answer = await callGrpc(session, { body: Array.from({ length: 64 }, () => Buffer.alloc(65_536)) });
    assert.deepEqual([readRefusal(answer).reason, collector.begun()], ['missing_credential', 0]);
  });
});
