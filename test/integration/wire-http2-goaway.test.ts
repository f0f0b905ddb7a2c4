import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerGrpc, startCollector } from '../support/collector.ts';
import { answerAtEnd, data, endsStream, grpcAnswer, startFrameServer } from '../support/frame-server.ts';
import type { ServedConnection } from '../support/frame-server.ts';
import { FRAME, frame, uint32 } from '../support/h2-frames.ts';
import type { Frame } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { MESSAGE, openCall, openUpstream, send } from '../support/wire-upstream.ts';
import type { RecordedCall } from '../support/wire-upstream.ts';

const ANY = 2 ** 31 - 1;
const goaway = (last: number, code = 0): Buffer =>
  frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(last), uint32(code)]));

/** Calls in quick succession, each with a body of its own. */
async function sendMany(t: Parameters<typeof openUpstream>[0], url: string, count: number): Promise<RecordedCall[]> {
  const upstream = openUpstream(t, url);
  const calls: RecordedCall[] = [];
  for (let i = 0; i < count; i++) {
    calls.push(send(upstream, Buffer.from(`body ${i}`)));
    if (i % 40 === 0) await new Promise(setImmediate);
  }
  for (const call of calls) await call.ended;
  return calls;
}

function assertAllAnsweredOnce(calls: readonly RecordedCall[], bodies: readonly string[]): void {
  assert.deepEqual([...new Set(calls.map(({ reason, grpcStatus }) => reason ?? grpcStatus))], [0]);
  assert.deepEqual([bodies.length, new Set(bodies).size], [calls.length, calls.length]);
  for (const { takenBytes, told } of calls) assert.ok(takenBytes <= 9 && told.length === 3, told.join());
}

describe('a collector that says goodbye on a connection gets each of thousands of calls once', () => {
  it('when it is one of node:http2', async (t) => {
    let count = 0;
    const collector = await startCollector(t, {
      onGrpc: (stream) => {
        count += 1;
        if (count % 100 === 0) stream.session?.close();
        answerGrpc(stream);
      },
    });
    const calls = await sendMany(t, collector.grpcUrl, 3_000);
    const bodies = collector.arrivals.map(({ body }) => body.toString());
    assertAllAnsweredOnce(calls, bodies);
  });

  it('when it says first that it will leave, and later which streams were the last, as grpc-go does', async (t) => {
    const bodies: string[] = [];
    const lastOf = new Map<ServedConnection, number>();
    const server = await startFrameServer(t, {
      onFrame(one: Frame, connection) {
        const { of, send: say } = connection;
        if (one.type === FRAME.PING) {
          const last = Math.max(...of(FRAME.DATA).map(({ streamId }) => streamId)) - 20;
          lastOf.set(connection, last);
          say(goaway(last));
          for (const { streamId, payload } of of(FRAME.DATA).slice(99)) {
            if (streamId > last) continue;
            bodies.push(payload.toString());
            say(grpcAnswer(streamId));
          }
        }
        if (one.type !== FRAME.DATA || lastOf.has(connection)) return;
        const count = of(FRAME.DATA).length;
        if (count === 100) say(goaway(ANY), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
        if (count >= 100) return;
        bodies.push(one.payload.toString());
        say(grpcAnswer(one.streamId));
      },
    });
    const calls = await sendMany(t, server.url, 3_000);
    assertAllAnsweredOnce(calls, bodies);
    assert.ok(server.connections.length > 10);
    await until('they are closed', () => server.connections.filter(({ socket }) => !socket.destroyed).length <= 2);
  });
});

describe('at the first GOAWAY', () => {
  it('a new connection is opened at once, and streams under way finish on the old one', async (t) => {
    const server = await startFrameServer(t, { onFrame: () => {} });
    const upstream = openUpstream(t, server.url);
    const first = send(upstream);
    await until('it has come', () => server.of(FRAME.DATA).length === 1);
    const [old] = server.connections;
    assert.ok(old);
    old.send(goaway(ANY));
    await until('another connection is there', () => server.connections.length === 2);
    const second = send(upstream);
    await until('it has come', () => server.connections[1]?.of(FRAME.DATA).length === 1);
    old.send(goaway(1));
    old.send(grpcAnswer(1));
    assert.equal((await first.ended).grpcStatus, 0);
    await until('the old one is closed', () => old.socket.readableEnded);
    assert.deepEqual(
      old.received.filter(({ type }) => type === FRAME.GOAWAY).map(({ payload }) => payload.readUInt32BE(4)),
      [0],
    );
    server.connections[1]?.send(grpcAnswer(1));
    assert.equal((await second.ended).grpcStatus, 0);
  });

  it('a call whose answer has begun is not sent again', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection) => {
        if (endsStream(one)) connection.send(grpcAnswer(1).subarray(0, 60), goaway(0));
      },
    });
    const call = await send(openUpstream(t, server.url)).ended;
    assert.deepEqual([call.reason, server.of(FRAME.DATA).length], ['upstream_unavailable', 1]);
  });

  it('a call that was not looked at is sent again no more than twice', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection) => {
        if (endsStream(one)) connection.send(goaway(0));
      },
    });
    const call = await send(openUpstream(t, server.url)).ended;
    assert.equal(call.reason, 'upstream_unavailable');
    assert.ok(server.of(FRAME.DATA).length <= 3);
  });

  it('the parts of a body that is not complete are sent again in order, and the rest behind them', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection, index) => {
        if (index > 0) answerAtEnd(one, connection);
      },
    });
    const upstream = openUpstream(t, server.url);
    const [call, other] = [openCall(upstream), openCall(upstream)];
    for (const part of ['one ', 'two ', 'three ']) {
      call.call?.write(Buffer.from(part), false);
      other.call?.write(Buffer.from('other '), false);
    }
    await until('they are there', () => server.of(FRAME.DATA).length >= 2);
    server.connections[0]?.send(goaway(0));
    await until('they are sent again', () => (server.connections[1]?.of(FRAME.DATA).length ?? 0) > 0);
    call.call?.write(Buffer.from('four'), true);
    assert.equal((await call.ended).grpcStatus, 0);
    const again = server.connections[1]?.of(FRAME.DATA) ?? [];
    const id = again.find(endsStream)?.streamId;
    const body = Buffer.concat(again.filter(({ streamId }) => streamId === id).map(({ payload }) => payload));
    assert.equal(body.toString(), 'one two three four');
    assert.equal(call.takenBytes, body.length);
    other.call?.cancel();
  });

  it('a body that is too long to be remembered fails, and is not sent a second time', async (t) => {
    const server = await startFrameServer(t, {
      opening: Buffer.concat([
        frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 16, 0, 0])),
        frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1 << 20)),
      ]),
      onFrame: () => {},
    });
    const call = send(openUpstream(t, server.url), Buffer.alloc(100_000));
    await until('it is there', () => server.of(FRAME.DATA).some(endsStream));
    server.connections[0]?.send(goaway(0));
    assert.equal((await call.ended).reason, 'upstream_unavailable');
    assert.equal(server.of(FRAME.HEADERS).length, 1);
  });
});

describe('a call is sent again', () => {
  it('if the collector refuses it before any of its body has left', async (t) => {
    let refused = 0;
    const server = await startFrameServer(t, {
      onFrame: (one, connection) => {
        if (one.type === FRAME.HEADERS && refused < 2) {
          refused += 1;
          connection.send(frame(FRAME.RST_STREAM, 0, one.streamId, uint32(7)));
        } else answerAtEnd(one, connection);
      },
    });
    const call = openCall(openUpstream(t, server.url));
    await until('it is there for the third time', () => server.of(FRAME.HEADERS).length === 3);
    call.call?.write(MESSAGE, true);
    assert.equal((await call.ended).grpcStatus, 0);
    assert.deepEqual(
      server.of(FRAME.DATA).map(({ payload }) => payload),
      [MESSAGE],
    );
  });

  it('if its connection breaks before any of its body has left', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection, index) => {
        if (index > 0) answerAtEnd(one, connection);
        else if (one.type === FRAME.HEADERS) connection.socket.resetAndDestroy();
      },
    });
    const upstream = openUpstream(t, server.url);
    const call = openCall(upstream);
    await until('it is there again', () => server.of(FRAME.HEADERS).length === 2);
    call.call?.write(MESSAGE, true);
    assert.equal((await call.ended).grpcStatus, 0);
  });

  it('but not if a byte of its body has left: nobody knows what became of it', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { socket }) => {
        if (endsStream(one)) socket.resetAndDestroy();
      },
    });
    const call = await send(openUpstream(t, server.url)).ended;
    assert.deepEqual([call.reason, server.of(FRAME.HEADERS).length], ['upstream_unavailable', 1]);
  });

  it('nor if it has none and its head was all of it', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { socket }) => void (endsStream(one) && socket.resetAndDestroy()),
    });
    const call = await openCall(openUpstream(t, server.url), { bodyLength: 0 }).ended;
    assert.deepEqual([call.reason, server.of(FRAME.HEADERS).length], ['upstream_unavailable', 1]);
  });
});

describe('an answer that has begun', () => {
  it('and breaks off with its connection has failed', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { send: say, socket }) => {
        if (!endsStream(one)) return;
        say(grpcAnswer(1).subarray(0, 50), data(1, Buffer.alloc(3)));
        setImmediate(() => socket.resetAndDestroy());
      },
    });
    const call = await send(openUpstream(t, server.url)).ended;
    assert.deepEqual([call.reason, server.of(FRAME.HEADERS).length], ['upstream_unavailable', 1]);
  });
});
