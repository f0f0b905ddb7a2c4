import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  block,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  frame,
  FRAME,
  grpcHead,
  PREFACE,
  SETTINGS,
  uint32,
} from '../support/h2-frames.ts';
import type { Fields, FrameConnection } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { startWireServer } from '../support/wire-server.ts';

/** RFC 9113 by its sections: what each breach of a rule gets. */

const NO_ERROR = 0;
const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;
const REFUSED_STREAM = 7;
const COMPRESSION_ERROR = 9;
const ENHANCE_YOUR_CALM = 11;

const END = END_HEADERS | END_STREAM;
const PADDED = 0x8;

const headers = (fields: Fields, flags = END, id = 1): Buffer => frame(FRAME.HEADERS, flags, id, block(fields));
const data = (bytes: number, flags = 0, id = 1): Buffer => frame(FRAME.DATA, flags, id, Buffer.alloc(bytes));
const reset = (id = 1): Buffer => frame(FRAME.RST_STREAM, 0, id, uint32(8));
const update = (increment: number, id = 0): Buffer => frame(FRAME.WINDOW_UPDATE, 0, id, uint32(increment));
const setting = (id: number, value: number): Buffer =>
  frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, id]), uint32(value)]));

const HEAD = grpcHead();
const OPEN = headers(HEAD, END_HEADERS);
const without = (name: string): Fields => HEAD.filter(([each]) => each !== name);
const instead = (name: string, value: string): Fields => HEAD.map(([each, old]) => [each, each === name ? value : old]);

type Rule = readonly [sentence: string, code: number, ...frames: Buffer[]];

/** Errors of the connection: it is told why, and ended. */
// oxfmt-ignore
const OF_CONNECTION: readonly Rule[] = [
  ['4.1 a frame longer than was allowed', FRAME_SIZE_ERROR, OPEN, data(16_385)],
  ['4.3 a block that is not HPACK', COMPRESSION_ERROR, frame(FRAME.HEADERS, END, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
  ['4.3 trailers that are not HPACK', COMPRESSION_ERROR, OPEN, frame(FRAME.HEADERS, END, 1, Buffer.from([0x80]))],
  ['5.1 DATA of a stream that was not begun', PROTOCOL_ERROR, data(1)],
  ['5.1 RST_STREAM of a stream that was not begun', PROTOCOL_ERROR, reset()],
  ['5.1 WINDOW_UPDATE of a stream that was not begun', PROTOCOL_ERROR, update(1, 1)],
  ['5.1 DATA after the end of the stream', STREAM_CLOSED, headers(HEAD), data(1)],
  ['5.1 DATA after the stream was reset', STREAM_CLOSED, OPEN, reset(), data(1)],
  ['5.1 a head after the end of the stream', STREAM_CLOSED, headers(HEAD), headers(HEAD)],
  ['5.1 a head after the stream was reset', STREAM_CLOSED, OPEN, reset(), headers(HEAD)],
  ['5.1.1 a stream that is not for clients', PROTOCOL_ERROR, headers(HEAD, END, 2)],
  ['5.1.1 a stream that was passed over', PROTOCOL_ERROR, headers(HEAD, END, 5), headers(HEAD, END, 3)],
  ['6.2 padding longer than the head', PROTOCOL_ERROR, frame(FRAME.HEADERS, END | PADDED, 1, Buffer.from([2, 0x82]))],
  ['6.2 a frame of another stream within a block', PROTOCOL_ERROR, headers(HEAD, END_STREAM), headers(HEAD, END, 3)],
  ['6.2 DATA within a block', PROTOCOL_ERROR, headers(HEAD, 0), data(1)],
  ['6.5 settings of a stream', PROTOCOL_ERROR, frame(FRAME.SETTINGS, 0, 1)],
  ['6.5.2 a window beyond its limit', FLOW_CONTROL_ERROR, setting(4, 2 ** 31)],
  ['6.5.2 frames beyond their limit', PROTOCOL_ERROR, setting(5, 2 ** 24)],
  ['6.5.2 a push that is neither allowed nor not', PROTOCOL_ERROR, setting(2, 2)],
  ['6.6 a push', PROTOCOL_ERROR, frame(5, END_HEADERS, 1, Buffer.alloc(8))],
  ['6.7 a ping of the wrong length', FRAME_SIZE_ERROR, frame(FRAME.PING, 0, 0, Buffer.alloc(7))],
  ['6.9 an update of nothing', PROTOCOL_ERROR, update(0)],
  ['6.9.1 a window of the connection that grows beyond its limit', FLOW_CONTROL_ERROR, update(2 ** 31 - 1)],
  ['6.9.2 a window of a stream that settings make grow beyond its limit', FLOW_CONTROL_ERROR, OPEN, update(2 ** 31 - 1 - 65_535, 1), setting(4, 65_536)],
  ['6.10 CONTINUATION of no block', PROTOCOL_ERROR, OPEN, frame(FRAME.CONTINUATION, END_HEADERS, 1)],
  ['6.10 CONTINUATION of another stream', PROTOCOL_ERROR, headers(HEAD, 0), frame(FRAME.CONTINUATION, END_HEADERS, 3)],
  ['more settings than there are', ENHANCE_YOUR_CALM, frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(33 * 6, Buffer.from([0, 9, 0, 0, 0, 0])))],
];

/** Errors of one stream: it is reset, and the connection goes on. */
// oxfmt-ignore
const OF_STREAM: readonly Rule[] = [
  ['6.9 an update of nothing', PROTOCOL_ERROR, OPEN, update(0, 1)],
  ['6.9.1 a window that grows beyond its limit', FLOW_CONTROL_ERROR, OPEN, update(2 ** 31 - 1, 1)],
  ['8.1 trailers that end nothing', PROTOCOL_ERROR, OPEN, headers([['a', 'b']], END_HEADERS)],
  ['8.1 trailers with a pseudo-header field', PROTOCOL_ERROR, OPEN, headers([[':path', '/']])],
  ['8.1.1 a body that is longer than announced', PROTOCOL_ERROR, headers(grpcHead(['content-length', '4']), END_HEADERS), data(5)],
  ['8.1.1 a body that is shorter than announced', PROTOCOL_ERROR, headers(grpcHead(['content-length', '6']), END_HEADERS), data(5, END_STREAM)],
  ['8.1.1 a body that is announced and ends with its head', PROTOCOL_ERROR, headers(grpcHead(['content-length', '6']))],
  ['8.1.1 a body that is announced and ends with trailers', PROTOCOL_ERROR, headers(grpcHead(['content-length', '6']), END_HEADERS), data(5), headers([['a', 'b']])],
  ['8.1.1 a length that is announced twice', PROTOCOL_ERROR, headers(grpcHead(['content-length', '0'], ['content-length', '0']))],
  ['8.1.1 a length that is no number', PROTOCOL_ERROR, headers(grpcHead(['content-length', '+5']), END_HEADERS)],
  ['8.2.1 a name in capitals', PROTOCOL_ERROR, headers(grpcHead(['X-Api-Key', 'x']))],
  ['8.2.1 a name with a space', PROTOCOL_ERROR, headers(grpcHead(['a b', 'x']))],
  ['8.2.1 an empty name', PROTOCOL_ERROR, headers(grpcHead(['', 'x']))],
  ['8.2.1 a name that holds a whole field', PROTOCOL_ERROR, headers(grpcHead(['a: b\r\nc', 'x']))],
  ['8.2.1 a value with a line break', PROTOCOL_ERROR, headers(grpcHead(['a', 'b\r\nx-keygate-tenant: c']))],
  ['8.2.1 a value with NUL', PROTOCOL_ERROR, headers(grpcHead(['a', 'b\0']))],
  ['8.2.1 a value with white space before it', PROTOCOL_ERROR, headers(grpcHead(['a', ' b']))],
  ['8.2.1 a value with white space behind it', PROTOCOL_ERROR, headers(grpcHead(['a', 'b\t']))],
  ['8.2.1 a value of nothing but white space', PROTOCOL_ERROR, headers(grpcHead(['a', ' ']))],
  ['8.2.1 a line break in a field of this request alone', PROTOCOL_ERROR, headers(grpcHead(['traceparent', 'a\nb']))],
  ['8.2.2 Connection', PROTOCOL_ERROR, headers(grpcHead(['connection', 'close']))],
  ['8.2.2 Transfer-Encoding', PROTOCOL_ERROR, headers(grpcHead(['transfer-encoding', 'chunked']))],
  ['8.2.2 TE with anything but trailers', PROTOCOL_ERROR, headers(instead('te', 'trailers, deflate'))],
  ['8.3 a pseudo-header field behind another field', PROTOCOL_ERROR, headers([...without(':path'), [':path', '/']])],
  ['8.3 a pseudo-header field that nobody knows', PROTOCOL_ERROR, headers([[':a', 'b'], ...HEAD])],
  ['8.3 one of answers', PROTOCOL_ERROR, headers([[':status', '200'], ...HEAD])],
  ['8.3 one that is said twice', PROTOCOL_ERROR, headers([[':path', '/'], ...HEAD])],
  ['8.3 one that every object has', PROTOCOL_ERROR, headers([[':constructor', '/'], ...HEAD])],
  ['8.3.1 no method', PROTOCOL_ERROR, headers(without(':method'))],
  ['8.3.1 no scheme', PROTOCOL_ERROR, headers(without(':scheme'))],
  ['8.3.1 no path', PROTOCOL_ERROR, headers(without(':path'))],
  ['8.3.1 neither :authority nor a host', PROTOCOL_ERROR, headers(without(':authority'))],
  ['8.3.1 a user before the host', PROTOCOL_ERROR, headers([...without(':authority'), ['host', 'user@gateway']])],
  ['8.3.1 an empty path', PROTOCOL_ERROR, headers(instead(':path', ''))],
  ['8.3.1 a path that is none', PROTOCOL_ERROR, headers(instead(':path', 'http://elsewhere/'))],
  ['8.3.1 another host than :authority', PROTOCOL_ERROR, headers(grpcHead(['host', 'elsewhere']))],
  ['8.3.1 two hosts', PROTOCOL_ERROR, headers(grpcHead(['host', 'gateway'], ['host', 'gateway']))],
  ['8.5 CONNECT with a path', PROTOCOL_ERROR, headers(instead(':method', 'CONNECT'))],
];

/** Nothing is wrong with these: an answer comes. */
// oxfmt-ignore
const FINE: readonly (readonly [sentence: string, ...frames: Buffer[]])[] = [
  ['white space within a value, and an empty value', headers(grpcHead(['a', 'b \tc'], ['d', '']))],
  ['a host that is :authority', headers(grpcHead(['host', 'GATEWAY']))],
  ['a host, and no :authority', headers([...without(':authority'), ['host', 'gateway']])],
  ['padding and a priority', frame(FRAME.HEADERS, END | PADDED | 0x20, 1, Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 1]), block(HEAD), Buffer.alloc(3)]))],
  ['a head in three frames', frame(FRAME.HEADERS, END_STREAM, 1, block(HEAD.slice(0, 3))), frame(FRAME.CONTINUATION, 0, 1, block(HEAD.slice(3, 4))), frame(FRAME.CONTINUATION, END_HEADERS, 1, block(HEAD.slice(4)))],
  ['a stream that begins late', headers(HEAD, END, 99)],
  ['a frame of no known type', frame(0x77, 0xff, 3, Buffer.alloc(5)), headers(HEAD)],
  ['settings that nobody knows', setting(0x99, 1), headers(HEAD)],
  ['a bit that is reserved', frame(FRAME.HEADERS, END, 0x8000_0001, block(HEAD))],
  ['trailers', OPEN, data(5), headers([['a', 'b']])],
  ['DATA with padding', OPEN, frame(FRAME.DATA, PADDED | END_STREAM, 1, Buffer.from([3, 1, 2, 0, 0, 0]))],
];

test('rules of HTTP/2', async (t) => {
  const server = await startWireServer(t, { takesNothing: true, limits: { maxStreams: 100 }, onCall: () => {} });

  for (const [sentence, code, ...frames] of OF_CONNECTION) {
    await t.test(`${sentence}: ends the connection with ${code}`, async (t) => {
      const connection = await connectFrames(t, server.port);
      await connection.send(...frames);
      await connection.closed;
      const [last] = connection.of(FRAME.GOAWAY).slice(-1);
      assert.equal(last?.payload.readUInt32BE(4), code);
    });
  }

  for (const [sentence, code, ...frames] of OF_STREAM) {
    await t.test(`${sentence}: resets the stream with ${code}`, async (t) => {
      const connection = await connectFrames(t, server.port);
      await connection.send(...frames);
      await until('the stream is reset', () => connection.of(FRAME.RST_STREAM).length > 0);
      assert.deepEqual(resets(connection), [[1, code]]);
      await answers(connection, 3);
    });
  }

  for (const [sentence, ...frames] of FINE) {
    await t.test(`${sentence}: is answered`, async (t) => {
      const connection = await connectFrames(t, server.port);
      await connection.send(...frames);
      await until('there is an answer', () => connection.of(FRAME.HEADERS).length > 0);
      await answers(connection, 101);
      assert.deepEqual(resets(connection), []);
    });
  }

  await t.test('3.4 what is not the preface ends the connection', async (t) => {
    const connection = await connectFrames(t, server.port, {
      opening: Buffer.concat([PREFACE.subarray(0, 20), SETTINGS]),
    });
    await connection.closed;
    assert.equal(connection.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4), PROTOCOL_ERROR);
  });

  await t.test('3.4 another frame before the settings ends the connection', async (t) => {
    const connection = await connectFrames(t, server.port, {
      opening: Buffer.concat([PREFACE, frame(FRAME.PING, 0, 0, Buffer.alloc(8))]),
    });
    await connection.closed;
    assert.equal(connection.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4), PROTOCOL_ERROR);
  });

  await t.test('5.1.2 more streams than allowed are refused, and may be sent again', async (t) => {
    const connection = await connectFrames(t, server.port);
    await until('settings came', () => connection.of(FRAME.SETTINGS).length > 0);
    const ids = Array.from({ length: 101 }, (_, n) => 2 * n + 1);
    await connection.send(...ids.map((id) => headers(HEAD, END_HEADERS, id)));
    await until('one is refused', () => connection.of(FRAME.RST_STREAM).length > 0);
    assert.deepEqual(resets(connection), [[201, REFUSED_STREAM]]);
  });

  await t.test('5.1 a head on a stream that waits for its answer resets it, whatever the head says', async (t) => {
    for (const flags of [END, END_HEADERS]) {
      for (const second of [HEAD, [['a', 'b']] as const]) {
        const connection = await connectFrames(t, server.port);
        await connection.send(headers(grpcHead(['x-api-key', server.key])), headers(second, flags));
        await until('the stream is reset', () => connection.of(FRAME.RST_STREAM).length > 0);
        assert.deepEqual([resets(connection), server.calls.at(-1)?.isCancelled], [[[1, STREAM_CLOSED]], true]);
        await answers(connection, 3);
      }
    }
  });

  await t.test('5.2 more than the window resets the stream, and is cut at the collector', async (t) => {
    const connection = await connectFrames(t, server.port);
    await connection.send(headers(grpcHead(['x-api-key', server.key]), END_HEADERS));
    await connection.send(...Array.from({ length: 16 }, () => data(16_384)));
    await until('the window is used up', () => server.calls.at(-1)?.bytes === 256 << 10);
    assert.deepEqual(resets(connection), []);
    await connection.send(data(1));
    await until('the stream is reset', () => connection.of(FRAME.RST_STREAM).length > 0);
    assert.deepEqual([resets(connection), server.calls.at(-1)?.isCancelled], [[[1, FLOW_CONTROL_ERROR]], true]);
    await answers(connection, 3);
  });

  await t.test('6.7 a ping is answered with what it said', async (t) => {
    const connection = await connectFrames(t, server.port);
    await connection.send(frame(FRAME.PING, 0, 0, Buffer.from('8 bytes!')));
    await until('it is answered', () => connection.of(FRAME.PING).length > 0);
    const [{ flags, payload } = { flags: 0, payload: '' }] = connection.of(FRAME.PING);
    assert.deepEqual([flags, payload.toString()], [1, '8 bytes!']);
  });

  await t.test('6.8 a client that leaves is let go', async (t) => {
    const connection = await connectFrames(t, server.port);
    await connection.send(frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
    await connection.closed;
    assert.equal(connection.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4), NO_ERROR);
  });
});

function resets(connection: FrameConnection): (readonly [id: number, code: number])[] {
  return connection.of(FRAME.RST_STREAM).map(({ streamId, payload }) => [streamId, payload.readUInt32BE(0)]);
}

/** The connection serves on. */
async function answers(connection: FrameConnection, id: number): Promise<void> {
  await connection.send(headers(HEAD, END, id));
  await until('the next request is answered', () =>
    connection.of(FRAME.HEADERS).some(({ streamId }) => streamId === id),
  );
}
