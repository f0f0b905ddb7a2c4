import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { startCollector } from '../support/collector.ts';
import { FRAME, frame, uint32 } from '../support/h2-frames.ts';
import {
  answerAtEnd,
  data,
  endsStream,
  GRPC_HEAD,
  grpcAnswer,
  headers,
  startFrameServer,
} from '../support/frame-server.ts';
import { frame as grpcFrame, TRACES_PATH } from '../support/grpc-client.ts';
import { until } from '../support/wait.ts';
import { HEAD, MESSAGE, openCall, openUpstream, send } from '../support/wire-upstream.ts';

const same = (bytes: Buffer): Buffer => bytes;

describe('a call to a collector over HTTP/2', () => {
  it('reaches it with the fields that may pass, and comes back with its answer', async (t) => {
    const collector = await startCollector(t);
    const upstream = openUpstream(t, collector.grpcUrl);
    const call = await send(upstream, MESSAGE, { varying: ['grpc-timeout', '5S'] }).ended;
    assert.deepEqual([call.told, call.grpcStatus, call.takenBytes], [['head', 'bytes', 'trailers'], 0, MESSAGE.length]);
    assert.deepEqual([call.body, call.head?.status, call.head?.isGrpc], [Buffer.alloc(5), 200, true]);
    const [arrival] = collector.arrivals;
    assert.deepEqual(arrival?.body, MESSAGE);
    assert.deepEqual(arrival.headers, {
      ':method': ['POST'],
      ':scheme': ['http'],
      ':path': [HEAD.path],
      ':authority': [new URL(collector.grpcUrl).host],
      te: ['trailers'],
      'content-type': ['application/grpc'],
      'user-agent': ['test'],
      'x-keygate-key-id': ['7'],
      'x-keygate-key-name': ['seven'],
      'grpc-timeout': ['5S'],
    });
  });

  it('is one of thousands that share a connection or two', async (t) => {
    const collector = await startCollector(t);
    const upstream = openUpstream(t, collector.grpcUrl);
    const calls = await Promise.all(Array.from({ length: 3_000 }, () => send(upstream).ended));
    assert.ok(calls.every(({ grpcStatus }) => grpcStatus === 0));
    assert.ok(collector.connections() <= 2);
  });

  it('of 8 MiB arrives whole, as far as the windows of the collector allow at a time', async (t) => {
    const collector = await startCollector(t);
    const upstream = openUpstream(t, collector.grpcUrl);
    const body = Buffer.alloc(64 * 1024, 'telemetry');
    const calls = Array.from({ length: 4 }, () => openCall(upstream));
    for (let i = 0; i < 128; i++) {
      for (const call of calls) {
        await until('the window is open', () => i * body.length - call.takenBytes < 256 * 1024);
        call.call?.write(body, i === 127);
      }
    }
    for (const call of calls) assert.equal((await call.ended).grpcStatus, 0);
    assert.deepEqual(
      collector.arrivals.map(({ bodyBytes }) => bodyBytes),
      calls.map(() => 8 << 20),
    );
  });
});

describe('a call', () => {
  it('of a server of grpc-js is answered, with its trailers', async (t) => {
    const server = new grpc.Server();
    const definition: grpc.ServiceDefinition = {
      Export: {
        path: TRACES_PATH,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    };
    server.addService(definition, {
      Export(call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
        const trailers = new grpc.Metadata();
        trailers.set('x-key', String(call.metadata.get('x-keygate-key-id')[0]));
        if (call.request.toString() === 'telemetry') callback(null, Buffer.from('thanks'), trailers);
        else callback({ code: 3, details: 'no, thanks' }, null, trailers);
      },
    });
    const bound = promisify(server.bindAsync.bind(server));
    const port = await bound('127.0.0.1:0', grpc.ServerCredentials.createInsecure());
    t.after(() => server.forceShutdown());
    const upstream = openUpstream(t, `http://127.0.0.1:${port}`);
    const accepted = await send(upstream).ended;
    assert.deepEqual([accepted.grpcStatus, accepted.body.subarray(5).toString()], [0, 'thanks']);
    assert.equal(accepted.trailers?.fields[accepted.trailers.fields.indexOf('x-key') + 1], '7');
    const refused = await send(upstream, grpcFrame(Buffer.from('nonsense'))).ended;
    assert.deepEqual([refused.grpcStatus, refused.reason], [3, undefined]);
  });

  it('may go to and fro for as long as both sides like', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { send: say }) => {
        if (one.type === FRAME.HEADERS) say(headers(one.streamId, GRPC_HEAD));
        if (one.type === FRAME.DATA) say(data(one.streamId, one.payload));
        if (endsStream(one)) say(headers(one.streamId, [['grpc-status', '0']], true));
      },
    });
    const call = openCall(openUpstream(t, server.url));
    let said = '';
    for (const word of ['one ', 'two ', 'three ']) {
      call.call?.write(Buffer.from(word), false);
      said += word;
      await until('it is echoed', () => call.body.toString() === said);
    }
    call.call?.write(Buffer.alloc(0), true);
    assert.equal((await call.ended).grpcStatus, 0);
  });
});

describe('what the collector says', () => {
  for (const [what, frames] of [
    ['DATA before any head', (id: number) => data(id, Buffer.alloc(5))],
    ['a head without a status', (id: number) => headers(id, [['content-type', 'application/grpc']])],
    ['an upper-case name', (id: number) => headers(id, [...GRPC_HEAD, ['X-Y', 'z']])],
    ['a field of a connection', (id: number) => headers(id, [...GRPC_HEAD, ['connection', 'x']])],
    ['two statuses', (id: number) => headers(id, [[':status', '200'], ...GRPC_HEAD])],
    ['101', (id: number) => headers(id, [[':status', '101']])],
    [
      'nothing but 1xx',
      (id: number) => Buffer.concat(Array.from({ length: 9 }, () => headers(id, [[':status', '103']]))),
    ],
    [
      'more than it announced',
      (id: number) => Buffer.concat([headers(id, [...GRPC_HEAD, ['content-length', '3']]), data(id, Buffer.alloc(5))]),
    ],
    [
      'less than it announced',
      (id: number) =>
        Buffer.concat([headers(id, [...GRPC_HEAD, ['content-length', '9']]), data(id, Buffer.alloc(5), true)]),
    ],
    [
      'trailers that do not end it',
      (id: number) => Buffer.concat([headers(id, GRPC_HEAD), headers(id, [['grpc-status', '0']])]),
    ],
  ] as const) {
    it(`is no answer if it is ${what}: the call fails, its stream is reset, and others go on`, async (t) => {
      const server = await startFrameServer(t, {
        onFrame: (one, connection) => {
          if (one.streamId !== 1) answerAtEnd(one, connection);
          else if (endsStream(one)) connection.send(frames(1));
        },
      });
      const upstream = openUpstream(t, server.url);
      const call = await send(upstream).ended;
      assert.equal(call.reason, 'upstream_unavailable');
      await until('it is reset', () => server.of(FRAME.RST_STREAM).length === 1);
      assert.equal(server.of(FRAME.RST_STREAM)[0]?.payload.readUInt32BE(), 1);
      assert.equal((await send(upstream).ended).grpcStatus, 0);
      assert.equal(server.connections.length, 1);
    });
  }

  for (const [code, reason] of [
    [0, 'upstream_unavailable'],
    [2, 'upstream_unavailable'],
    [7, 'upstream_unavailable'],
    [8, 'upstream_unavailable'],
    [11, 'upstream_overloaded'],
  ] as const) {
    it(`is a reset with code ${code}: ${reason}, and nothing is sent twice`, async (t) => {
      const server = await startFrameServer(t, {
        onFrame: (one, connection) => {
          if (endsStream(one)) connection.send(frame(FRAME.RST_STREAM, 0, one.streamId, uint32(code)));
        },
      });
      const call = await send(openUpstream(t, server.url)).ended;
      assert.deepEqual([call.reason, server.of(FRAME.HEADERS).length], [reason, 1]);
    });
  }

  it('is told on after interim answers', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection) => {
        if (!endsStream(one)) return;
        connection.send(headers(one.streamId, [[':status', '100']]), headers(one.streamId, [[':status', '103']]));
        connection.send(grpcAnswer(one.streamId));
      },
    });
    const call = await send(openUpstream(t, server.url)).ended;
    assert.deepEqual([call.told, call.grpcStatus], [['head', 'bytes', 'trailers'], 0]);
  });
});
