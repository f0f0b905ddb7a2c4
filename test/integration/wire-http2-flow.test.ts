import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  answerAtEnd,
  data,
  endsStream,
  GRPC_HEAD,
  grpcAnswer,
  headers,
  startFrameServer,
} from '../support/frame-server.ts';
import type { FrameServer } from '../support/frame-server.ts';
import { FRAME, frame, SETTINGS, uint32 } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { openCall, openUpstream, send } from '../support/wire-upstream.ts';

const windowOf = (bytes: number): Buffer =>
  frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]));
const more = (streamId: number, bytes: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, streamId, uint32(bytes));

function bytesOn(server: FrameServer, streamId: number): number {
  return server
    .of(FRAME.DATA)
    .filter((one) => one.streamId === streamId)
    .reduce((sum, { payload }) => sum + payload.length, 0);
}

describe('the body of a call leaves', () => {
  it('as far as the window of its stream allows, and the caller is told of no more than that', async (t) => {
    const server = await startFrameServer(t, { opening: windowOf(10) });
    const call = send(openUpstream(t, server.url), Buffer.from('0123456789abcdefghij'));
    await until('ten bytes are there', () => bytesOn(server, 1) === 10);
    server.connections[0]?.send(more(1, 4));
    await until('four more are there', () => bytesOn(server, 1) === 14);
    assert.equal(call.takenBytes, 14);
    server.connections[0]?.send(more(1, 100));
    assert.equal((await call.ended).grpcStatus, 0);
    const body = Buffer.concat(server.of(FRAME.DATA).map(({ payload }) => payload));
    assert.deepEqual([body.toString(), call.takenBytes], ['0123456789abcdefghij', 20]);
  });

  it('as the collector changes the windows of all streams, also below zero', async (t) => {
    const server = await startFrameServer(t, { opening: windowOf(10) });
    const call = send(openUpstream(t, server.url), Buffer.alloc(30));
    await until('ten bytes are there', () => bytesOn(server, 1) === 10);
    server.connections[0]?.send(windowOf(4), more(1, 6)); // -6, then 0
    await until('it is acknowledged', () => server.connections[0]?.of(FRAME.SETTINGS).length === 3);
    assert.equal(bytesOn(server, 1), 10);
    server.connections[0]?.send(windowOf(9));
    await until('five more are there', () => bytesOn(server, 1) === 15);
    server.connections[0]?.send(more(1, 15));
    assert.equal((await call.ended).grpcStatus, 0);
    assert.equal(call.takenBytes, 30);
  });

  it('in turns with the others when the window of the connection is short', async (t) => {
    const server = await startFrameServer(t, { opening: windowOf(1 << 20), onFrame: () => {} });
    const upstream = openUpstream(t, server.url, { connections: 1 });
    const big = openCall(upstream);
    for (let i = 0; i < 4; i++) big.call?.write(Buffer.alloc(64 * 1024), i === 3);
    await until('the window is used up', () => bytesOn(server, 1) === 65_535);
    const small = Array.from({ length: 10 }, () => send(upstream, Buffer.alloc(100)));
    await until('their heads are there', () => server.of(FRAME.HEADERS).length === 11);
    server.connections[0]?.send(more(0, 16_384 + 1_000));
    await until('all of them are there', () => server.of(FRAME.DATA).filter(endsStream).length === 10);
    assert.ok(bytesOn(server, 1) <= 65_535 + 16_384);
    assert.deepEqual(
      small.map(({ takenBytes }) => takenBytes),
      small.map(() => 100),
    );
    server.connections[0]?.send(more(0, 1 << 20));
    await until('the rest is there', () => bytesOn(server, 1) === 4 * 64 * 1024);
    assert.equal(big.takenBytes, 4 * 64 * 1024);
  });

  it('while another stream is stalled by its own window', async (t) => {
    const server = await startFrameServer(t, { opening: windowOf(100) });
    const upstream = openUpstream(t, server.url, { connections: 1 });
    const stalled = send(upstream, Buffer.alloc(1_000));
    await until('it stalls', () => bytesOn(server, 1) === 100);
    for (let i = 0; i < 50; i++) assert.equal((await send(upstream, Buffer.alloc(100)).ended).grpcStatus, 0);
    stalled.call?.cancel();
    await until('it is reset', () => server.of(FRAME.RST_STREAM).length === 1);
    assert.equal(stalled.takenBytes, 100);
  });

  it('no faster than the collector reads: what it does not read is not taken', async (t) => {
    const server = await startFrameServer(t, {
      opening: Buffer.concat([windowOf(1 << 30), more(0, 1 << 30)]),
      onFrame: (one, { socket }) => void (one.type === FRAME.HEADERS && socket.pause()),
    });
    const call = openCall(openUpstream(t, server.url));
    await until('it is there', () => server.of(FRAME.HEADERS).length === 1);
    const piece = Buffer.alloc(64 * 1024);
    let written = 0;
    for (; written - call.takenBytes < 1 << 20 && written < 64 << 20; written += piece.length) {
      call.call?.write(piece, false);
      await new Promise(setImmediate);
    }
    assert.ok(written < 64 << 20, 'it took everything');
    server.connections[0]?.socket.resume();
    await until('all of it has left', () => call.takenBytes === written, 20_000);
    call.call?.cancel();
  });
});

describe('an answer comes', () => {
  const windows = 256 * 1024;
  const part = Buffer.alloc(16 * 1024);

  it('only as far as its caller takes it, and others are not held up', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { send: say }) => {
        if (!endsStream(one)) return;
        if (one.streamId !== 1) return say(grpcAnswer(one.streamId));
        say(headers(1, GRPC_HEAD));
        for (let sent = 0; sent < windows; sent += part.length) say(data(1, part));
      },
    });
    const upstream = openUpstream(t, server.url, { connections: 1 });
    const slow = openCall(upstream);
    slow.reads = false;
    slow.call?.write(Buffer.alloc(5), true);
    await until('it is there', () => slow.body.length === windows);
    for (let i = 0; i < 20; i++) assert.equal((await send(upstream).ended).grpcStatus, 0);
    const updates = (): number => server.of(FRAME.WINDOW_UPDATE).filter(({ streamId }) => streamId === 1).length;
    assert.equal(updates(), 0);
    slow.call?.release(windows / 2);
    await until('more may come', () => updates() === 1);
    server.connections[0]?.send(data(1, part), headers(1, [['grpc-status', '0']], true));
    assert.equal((await slow.ended).body.length, windows + part.length);
  });

  it('and is cut off if more of it comes than was allowed', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, { send: say }) => {
        if (!endsStream(one)) return;
        say(headers(one.streamId, GRPC_HEAD));
        for (let sent = 0; sent <= windows; sent += part.length) say(data(one.streamId, part));
      },
    });
    const call = openCall(openUpstream(t, server.url));
    call.reads = false;
    call.call?.write(Buffer.alloc(5), true);
    assert.equal((await call.ended).reason, 'upstream_unavailable');
    await until('it is reset', () => server.of(FRAME.RST_STREAM)[0]?.payload.readUInt32BE() === 3);
  });

  it('to nobody after it was cancelled, and what was on its way harms no one', async (t) => {
    const server = await startFrameServer(t);
    const upstream = openUpstream(t, server.url);
    const call = openCall(upstream);
    await until('it is there', () => server.of(FRAME.HEADERS).length === 1);
    call.call?.cancel();
    await until('it is reset', () => server.of(FRAME.RST_STREAM)[0]?.payload.readUInt32BE() === 8);
    server.connections[0]?.send(
      headers(1, GRPC_HEAD),
      data(1, part),
      more(1, 5),
      headers(1, [['grpc-status', '0']], true),
    );
    server.connections[0]?.send(frame(FRAME.RST_STREAM, 0, 1, uint32(0)));
    assert.equal((await send(upstream).ended).grpcStatus, 0);
    assert.deepEqual([call.told, server.connections.length], [[], 1]);
  });

  it('before all of the request has left: the rest is not wanted', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection) => {
        if (one.type === FRAME.HEADERS) connection.send(grpcAnswer(one.streamId));
      },
    });
    const upstream = openUpstream(t, server.url);
    const call = openCall(upstream);
    assert.equal((await call.ended).grpcStatus, 0);
    call.call?.write(Buffer.alloc(10), true);
    await until('it is reset', () => server.of(FRAME.RST_STREAM)[0]?.payload.readUInt32BE() === 8);
    await delay(20);
    assert.equal(server.of(FRAME.DATA).length, 0);
  });
});

describe('frames that serve no call', () => {
  it('are answered if they want an answer, and otherwise ignored', async (t) => {
    const server = await startFrameServer(t, {
      opening: Buffer.concat([SETTINGS, frame(0x0a, 0, 0, Buffer.alloc(9)), frame(0xee, 0xff, 77, Buffer.alloc(9))]),
      onFrame: answerAtEnd,
    });
    const upstream = openUpstream(t, server.url);
    assert.equal((await send(upstream).ended).grpcStatus, 0);
    server.connections[0]?.send(
      frame(FRAME.PING, 0, 0, Buffer.from('whatever')),
      frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(5)),
    );
    await until('it is answered', () => server.of(FRAME.PING).length === 1);
    const [pong] = server.of(FRAME.PING);
    assert.deepEqual([pong?.flags, pong?.payload.toString()], [1, 'whatever']);
    assert.equal((await send(upstream).ended).grpcStatus, 0);
    assert.equal(server.connections.length, 1);
  });

  for (const [what, flood] of [
    ['frames of unknown types', frame(0xee, 0, 1)],
    ['empty DATA', data(1, Buffer.alloc(0))],
    ['SETTINGS', SETTINGS],
    ['frames of a stream that is over', frame(FRAME.RST_STREAM, 0, 1, uint32(0))],
  ] as const) {
    it(`end the connection when there are too many of them: ${what}`, async (t) => {
      const server = await startFrameServer(t, { onFrame: () => {} });
      const upstream = openUpstream(t, server.url);
      const over = openCall(upstream);
      await until('it is there', () => server.of(FRAME.HEADERS).length === 1);
      const [connection] = server.connections;
      if (what.includes('over')) over.call?.cancel();
      else connection?.send(headers(1, GRPC_HEAD));
      const call = send(upstream);
      await until('it is there', () => server.of(FRAME.DATA).length === 1);
      for (let i = 0; i < 110; i++) connection?.send(...Array.from({ length: 100 }, () => flood));
      assert.equal((await call.ended).reason, 'upstream_unavailable');
      await until('it is told why', () => connection?.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4) === 11);
    });
  }

  for (const [what, broken, code] of [
    ['a header block that means nothing', frame(FRAME.HEADERS, 4, 1, Buffer.from([0x80])), 9],
    [
      'a header block too large',
      Buffer.concat([frame(FRAME.HEADERS, 0, 1), ...Array.from({ length: 40 }, () => frame(FRAME.CONTINUATION, 0, 1))]),
      11,
    ],
    ['something between the frames of a header block', Buffer.concat([frame(FRAME.HEADERS, 0, 1), SETTINGS]), 1],
    ['a stream that was never begun', headers(7, GRPC_HEAD), 1],
    ['a stream of its own', headers(2, GRPC_HEAD), 1],
    ['PUSH_PROMISE', frame(5, 4, 1, Buffer.alloc(8)), 1],
    ['a window that grows by nothing', more(0, 0), 1],
    ['a window that is too large', more(0, 2 ** 31 - 1), 3],
    ['windows that are too large', windowOf(2 ** 31), 3],
  ] as const) {
    it(`that are errors of the connection end it: ${what}`, async (t) => {
      const server = await startFrameServer(t, { onFrame: () => {} });
      const call = send(openUpstream(t, server.url));
      await until('it is there', () => server.of(FRAME.DATA).length === 1);
      server.connections[0]?.send(broken);
      assert.equal((await call.ended).reason, 'upstream_unavailable');
      await until('it is told why', () => server.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4) === code);
    });
  }
});

describe('a collector that owes an answer and says nothing', () => {
  it('is asked whether it is there; the connection is given up if it does not say so', async (t) => {
    const server = await startFrameServer(t, { onFrame: () => {} });
    const upstream = openUpstream(t, server.url);
    const call = send(upstream);
    await until('it is there', () => server.of(FRAME.DATA).length === 1);
    await delay(50);
    const nowMs = performance.now();
    upstream.check(nowMs + 10_100);
    await until('it is asked', () => server.of(FRAME.PING).length === 1);
    upstream.check(nowMs + 29_000);
    assert.equal(call.reason, undefined);
    upstream.check(nowMs + 31_000);
    assert.equal(call.reason, 'upstream_unavailable');
  });
});
