import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { answerGrpc, startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, openGrpc } from '../support/grpc-client.ts';
import type { GrpcAnswer } from '../support/grpc-client.ts';
import { until } from '../support/wait.ts';

type Fields = http2.OutgoingHttpHeaders;

/** What a client gets through the gateway when the collector answers like this. */
async function relay(t: TestContext, onGrpc: (stream: http2.ServerHttp2Stream) => void): Promise<GrpcAnswer> {
  const collector = await startCollector(t, { onGrpc });
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
  const { text: key } = await gateway.createKey();
  return callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers: { 'x-api-key': key } });
}

function respond(
  body: readonly Buffer[],
  trailers: Fields,
  headers: Fields = {},
): (stream: http2.ServerHttp2Stream) => void {
  return (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    for (const part of body) stream.write(part);
    stream.end();
  };
}

function trailersOnly(fields: Fields): (stream: http2.ServerHttp2Stream) => void {
  return (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { endStream: true });
}

/** ExportTraceServiceResponse { partial_success { rejected_spans: 3, error_message: "no" } } */
const PARTIAL_SUCCESS = frame(Buffer.from('0a06080312026e6f', 'hex'));

describe('the answer of the collector on its way to a gRPC client', () => {
  it('passes with status 0, as it is', async (t) => {
    const answer = await relay(t, answerGrpc);
    assert.deepEqual(answer, {
      httpStatus: 200,
      headers: { 'content-type': 'application/grpc' },
      trailers: { 'grpc-status': '0' },
      body: Buffer.alloc(5),
      code: 0,
      message: undefined,
      resetCode: 0,
    });
  });

  it('keeps the body of a partial success', async (t) => {
    const answer = await relay(t, respond([PARTIAL_SUCCESS], { 'grpc-status': '0' }));
    assert.deepEqual([answer.code, answer.body], [0, PARTIAL_SUCCESS]);
  });

  it('passes byte for byte when it is compressed, wherever its DATA frames begin and end', async (t) => {
    const body = Buffer.concat([frame(randomBytes(40_000), true), frame(randomBytes(10), false)]);
    const parts = [body.subarray(0, 2), body.subarray(2, 9), body.subarray(9, 39_000), body.subarray(39_000)];
    const answer = await relay(
      t,
      respond(parts, { 'grpc-status': '0' }, { 'grpc-encoding': 'zstd', 'grpc-accept-encoding': 'zstd,snappy' }),
    );
    assert.deepEqual(
      [answer.code, answer.headers['grpc-encoding'], answer.headers['grpc-accept-encoding'], answer.body.equals(body)],
      [0, 'zstd', 'zstd,snappy', true],
    );
  });

  it('stays trailers-only, on which the retries of Java and Go depend', async (t) => {
    const answer = await relay(t, trailersOnly({ 'grpc-status': '14', 'grpc-message': 'try later', 'x-node': 'c1' }));
    assert.deepEqual(answer, {
      httpStatus: 200,
      headers: { 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'try later', 'x-node': 'c1' },
      trailers: undefined,
      body: Buffer.alloc(0),
      code: 14,
      message: 'try later',
      resetCode: 0,
    });
  });

  it('stays headers and trailers when an error came after headers', async (t) => {
    const answer = await relay(
      t,
      respond([], { 'grpc-status': '3', 'grpc-message': 'bad batch' }, { 'x-early': 'yes' }),
    );
    assert.deepEqual(
      [answer.headers, answer.trailers],
      [
        { 'content-type': 'application/grpc', 'x-early': 'yes' },
        { 'grpc-status': '3', 'grpc-message': 'bad batch' },
      ],
    );
  });

  it('keeps UNIMPLEMENTED, by which a collector says that it has no pipeline for a signal', async (t) => {
    const message = 'unknown service opentelemetry.proto.collector.trace.v1.TraceService';
    const answer = await relay(t, trailersOnly({ 'grpc-status': '12', 'grpc-message': message }));
    assert.deepEqual([answer.code, answer.message, answer.trailers], [12, message, undefined]);
  });

  it('keeps every code there is, and gives none of them a retry hint', async (t) => {
    const codes = Array.from({ length: 16 }, (_, index) => index + 1);
    let next = 0;
    const collector = await startCollector(t, {
      onGrpc: (stream) => trailersOnly({ 'grpc-status': String(codes[next++]), 'grpc-message': 'no' })(stream),
    });
    const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
    const { text: key } = await gateway.createKey();
    const session = await connectGrpc(t, gateway.grpcAddress);
    for (const code of codes) {
      const { headers } = await callGrpc(session, { headers: { 'x-api-key': key } });
      assert.deepEqual(headers, {
        'content-type': 'application/grpc',
        'grpc-status': String(code),
        'grpc-message': 'no',
      });
    }
  });

  for (const [what, message] of [
    ['percent escapes', 'half%25 full%3A %2F %23 done'],
    ['UTF-8', 'collecteur satur%C3%A9 %F0%9F%94%A5'],
    ['line breaks', 'first%0Asecond'],
  ] as const) {
    it(`keeps a message with ${what}, in trailers and trailers-only`, async (t) => {
      const inTrailers = await relay(t, respond([], { 'grpc-status': '13', 'grpc-message': message }));
      assert.equal(inTrailers.message, message);
      const alone = await relay(t, trailersOnly({ 'grpc-status': '13', 'grpc-message': message }));
      assert.equal(alone.message, message);
    });
  }

  it('keeps its details, custom trailers and binary fields', async (t) => {
    // A Status { code: 8, message: "slow down" } with a RetryInfo, as a collector under memory pressure sends it.
    const details = Buffer.from(
      'CAgSCXNsb3cgZG93bhowCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgQKAggB',
      'base64',
    );
    const binary = randomBytes(20);
    const answer = await relay(
      t,
      respond(
        [],
        {
          'grpc-status': '8',
          'grpc-message': 'slow down',
          'grpc-status-details-bin': details.toString('base64').replaceAll('=', ''),
          'x-queue': 'full',
          'x-many': ['a', 'b'],
          'x-trace-bin': binary.toString('base64'),
        },
        { 'x-initial': 'yes', 'x-initial-bin': binary.toString('base64').replaceAll('=', '') },
      ),
    );
    const { 'grpc-status-details-bin': sentDetails, 'x-trace-bin': sentBinary, ...trailers } = answer.trailers ?? {};
    assert.deepEqual(Buffer.from(String(sentDetails), 'base64'), details);
    assert.deepEqual(Buffer.from(String(sentBinary), 'base64'), binary);
    assert.deepEqual(trailers, {
      'grpc-status': '8',
      'grpc-message': 'slow down',
      'x-queue': 'full',
      'x-many': 'a, b',
    });
    assert.deepEqual(Buffer.from(String(answer.headers['x-initial-bin']), 'base64'), binary);
    assert.equal(answer.headers['x-initial'], 'yes');
  });

  it('comes while the request is still being sent, when the collector has heard enough', async (t) => {
    const collector = await startCollector(t, {
      onGrpcHead: trailersOnly({ 'grpc-status': '8', 'grpc-message': 'too much' }),
    });
    const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
    const { text: key } = await gateway.createKey();
    const stream = openGrpc(await connectGrpc(t, gateway.grpcAddress), { headers: { 'x-api-key': key } });
    stream.write(frame(Buffer.alloc(1_000)).subarray(0, 500)); // and no end
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    assert.deepEqual([headers['grpc-status'], headers['grpc-message']], ['8', 'too much']);
    await until('nothing is in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 0);
  });
});
