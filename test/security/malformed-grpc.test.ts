import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame } from '../support/grpc-client.ts';
import {
  block,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame as frameOf,
  grpcHead,
} from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';

/**
 * Messages that a library of gRPC takes apart, and that have ended processes which use one (CVE-2026-48068, CVE-2026-48069).
 * What is in a message is between its sender and the collector: it goes on as it came.
 */
const prefix = (flag: number, length: number): Buffer => {
  const bytes = Buffer.from([flag, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 1);
  return bytes;
};
const MESSAGES: Readonly<Record<string, Buffer>> = {
  'gzip that is none': frame(Buffer.from('this is no gzip'), true),
  'gzip that breaks off': frame(Buffer.from([0x1f, 0x8b, 8, 0]), true),
  'a prefix that promises 4 GiB': Buffer.concat([prefix(0, 0xffff_ffff), Buffer.from('and that is all')]),
  'a prefix that is shorter than what follows': Buffer.concat([prefix(0, 1), Buffer.from('longer')]),
  'a prefix of a kind that does not exist': Buffer.concat([prefix(0xff, 3), Buffer.from('abc')]),
  'a prefix that breaks off': Buffer.from([0, 0, 0]),
};

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl, http: collector.httpUrl } });
  const { text: key } = await gateway.createKey();
  return { collector, gateway, key, session: await connectGrpc(t, gateway.grpcAddress) };
}

test('a gRPC message that is none goes on byte for byte, and ends nothing', async (t) => {
  const { collector, session, key } = await setUp(t);
  const headers = { 'x-api-key': key, 'grpc-encoding': 'gzip' };
  for (const [sentence, body] of Object.entries(MESSAGES)) {
    await t.test(sentence, async () => {
      assert.equal((await callGrpc(session, { headers, body: [body] })).code, 0);
      assert.deepEqual(collector.arrivals.at(-1)?.body, body);
    });
  }
});

test('what is sent to a method of gRPC without saying that it is gRPC goes nowhere', async (t) => {
  const { collector, session, key } = await setUp(t);
  for (const type of [undefined, '', 'application/json', 'application/x-protobuf', 'text/html, application/grpc']) {
    const { httpStatus } = await callGrpc(session, { headers: { 'x-api-key': key, 'content-type': type } });
    assert.equal(httpStatus, 415, `content-type: ${type}`);
  }
  assert.equal(collector.begun(), 0);
});

test('metadata beyond ASCII goes nowhere, be it a field of every call or of this one alone', async (t) => {
  const { collector, gateway, key } = await setUp(t);
  const connection = await connectFrames(t, gateway.addresses.grpc.port);
  for (const [n, name] of ['x-scope', 'traceparent'].entries()) {
    const head = block(grpcHead(['x-api-key', key], [name, 'caf\xe9']));
    await connection.send(frameOf(FRAME.HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, head));
    await until('it is answered', () => connection.of(FRAME.HEADERS).length === n + 1);
  }
  assert.equal(await gateway.metric('keygate_requests_total', { protocol: 'grpc', reason: 'bad_request' }), 2);
  assert.equal(collector.begun(), 0);
});
