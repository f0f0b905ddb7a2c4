import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  block,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  frame,
  FRAME,
  grpcHead,
  PREFACE,
  uint32,
} from '../support/h2-frames.ts';
import { stillness, until } from '../support/wait.ts';
import { answerHead, startWireServer } from '../support/wire-server.ts';

const CANCEL = 8;
const PIECE = Buffer.alloc(16_384);
const HEAD = answerHead(200, ['content-type', 'application/grpc']);

const call = (key: string): Buffer =>
  frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 1, block(grpcHead(['x-api-key', key])));
/** How much of each answer may come unasked. */
const window = (bytes: number): Buffer =>
  frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]));

describe('whoever does not read', () => {
  it('is not read either, and is given up', async (t) => {
    const server = await startWireServer(t, { limits: { idleTimeoutMs: 2_000 } });
    const connection = await connectFrames(t, server.port);
    connection.socket.pause();
    const head = frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 0, block(grpcHead()));
    let id = 1;
    const timer = setInterval(() => {
      for (let n = 0; n < 500; n++, id += 2) {
        head.writeUInt32BE(id, 5);
        connection.socket.write(Buffer.from(head));
      }
    }, 5);
    t.after(() => clearInterval(timer));
    await until('there is something to read', () => server.reports.length > 0);
    await until(
      'no more is taken',
      stillness(() => server.reports.length, 300),
    );
    assert.equal(server.connections.size, 1);
    await until('it is given up', () => server.connections.size === 0, 10_000);
    assert.deepEqual(server.spent, ['unread_output ended']);
  });

  it('and says so by its windows, is given up, and the collector is told', async (t) => {
    const server = await startWireServer(t, {
      limits: { idleTimeoutMs: 300 },
      onCall: ({ caller }) => caller.answered(HEAD, [], false),
    });
    const connection = await connectFrames(t, server.port, { opening: Buffer.concat([PREFACE, window(0)]) });
    await connection.send(call(server.key));
    await until('its head is there', () => connection.of(FRAME.HEADERS).length === 1);
    server.calls[0]?.caller.answerBytes(Buffer.alloc(1_000), false);
    await until('it is given up', () => connection.of(FRAME.RST_STREAM).length === 1);
    assert.deepEqual(
      connection.of(FRAME.RST_STREAM).map(({ streamId, payload }) => [streamId, payload.readUInt32BE()]),
      [[1, CANCEL]],
    );
    assert.equal(server.calls[0]?.isCancelled, true);
  });

  it('though there is no end of its windows, slows down the collector', async (t) => {
    const PIECES = 640;
    const server = await startWireServer(t, {
      onCall({ caller }) {
        caller.answered(HEAD, [], false);
        for (let n = 0; n < PIECES; n++) caller.answerBytes(PIECE, false);
      },
    });
    const more = frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1 << 30));
    const opening = Buffer.concat([PREFACE, window(2 ** 31 - 1), more]);
    const connection = await connectFrames(t, server.port, { opening });
    connection.socket.pause();
    await connection.send(call(server.key));
    await until('it is with the collector', () => server.calls.length === 1);
    const released = (): number => server.calls[0]?.releasedBytes ?? 0;
    await until('nothing moves', stillness(released, 100));
    assert.ok(released() < PIECES * PIECE.length, 'all of it was taken');
    connection.socket.resume();
    await until('all of it is taken', () => released() === PIECES * PIECE.length);
  });
});
