import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { test } from 'node:test';
import { createToUpstream } from '../../src/headers.ts';
import { AnswerReader } from '../../src/plane/wire/http2/answer-reader.ts';
import { HpackDecoder } from '../../src/plane/wire/http2/hpack/decoder.ts';
import { encodeFields } from '../../src/plane/wire/http2/hpack/encoder.ts';
import { createHeadBlocks } from '../../src/plane/wire/http2/onward-head.ts';
import { connectGrpc } from '../support/grpc-client.ts';
import { newRecord } from '../support/stores.ts';
import { answerHead, startWireServer } from '../support/wire-server.ts';

/** RFC 7541 section 6.2.3: what its sender lets nobody index is relayed like that, on every hop. */

const toBlocks = createHeadBlocks(
  { host: '127.0.0.1', port: 1, secure: false },
  createToUpstream({ carriers: [], tenantHeader: undefined }),
);

for (const isNever of [false, true]) {
  test(`a request that ${isNever ? 'has a field' : 'has no field'} that nobody may index goes on like that`, async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      'content-type': 'application/grpc',
      'x-api-key': server.key,
      traceparent: '00-1-2-3',
      'x-note': 'between us',
      ...(isNever ? { [http2.sensitiveHeaders]: ['x-note'] } : {}),
    });
    stream.end(Buffer.alloc(5)).resume();
    await once(stream, 'close');
    const { request } = server.calls[0] ?? assert.fail('no call');
    const decoder = new HpackDecoder({ maxHeaders: 100, maxHeaderBytes: 16_384 });
    for (const block of toBlocks({ ...request, key: newRecord() })) {
      decoder.decode(block);
      assert.equal(decoder.sawNeverIndexed, isNever);
    }
  });

  test(`an answer that ${isNever ? 'has a field' : 'has no field'} that nobody may index goes on like that`, async (t) => {
    const reader = new AnswerReader();
    reader.settingsAcknowledged();
    const block = encodeFields([':status', '200', 'content-type', 'application/grpc'], { neverIndexed: isNever });
    for (let i = 0; i < 4; i++) {
      const read = reader.read(block);
      assert.ok(typeof read === 'object');
      assert.equal(read.head.neverIndexed, isNever);
    }

    const server = await startWireServer(t, {
      onCall: ({ caller }) => {
        const head = answerHead(200, ['content-type', 'application/grpc', 'grpc-status', '0', 'x-note', 'between us']);
        caller.answered({ ...head, neverIndexed: isNever }, [], true);
      },
    });
    const session = await connectGrpc(t, server.url);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      'content-type': 'application/grpc',
      'x-api-key': server.key,
    });
    stream.end();
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    const neverIndexed = (Reflect.get(headers, http2.sensitiveHeaders) ?? []) as string[];
    assert.equal(neverIndexed.includes('x-note'), isNever);
    stream.close();
  });
}
