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
  SETTINGS,
  uint32,
} from '../support/h2-frames.ts';
import type { Fields, FrameConnection } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { answerHead, startWireServer } from '../support/wire-server.ts';

/**
 * Floods of frames that are cheap to send and dear to answer, each over one connection, as fast as it goes. Each has a
 * budget, and ends when that is spent, after a warning; whoever behaves never comes near.
 */
interface Flood {
  readonly sentence: string;
  readonly budget: string;
  /** After how many rounds it has ended at the latest: what is spent in one, and time to say so. */
  readonly rounds: number;
  /** It has nothing under way, so that the warning is all it needs. */
  readonly isLetGo?: boolean;
  /** The frames sent in the nth round, from 0. */
  readonly round: (n: number, key: string) => readonly Buffer[];
}

const NO_ERROR = 0;
const ENHANCE_YOUR_CALM = 11;
const id = (n: number): number => 2 * n + 1;
const head = (streamId: number, fields: Fields, flags: number = END_HEADERS): Buffer =>
  frame(FRAME.HEADERS, flags, streamId, block(fields));
const call = (n: number, key: string, ...more: Fields): Buffer => head(id(n), grpcHead(['x-api-key', key], ...more));
const data = (n: number, bytes: number, flags = 0): Buffer => frame(FRAME.DATA, flags, id(n), Buffer.alloc(bytes));
const reset = (n: number, code = 8): Buffer => frame(FRAME.RST_STREAM, 0, id(n), uint32(code));
const PING = frame(FRAME.PING, 0, 0, Buffer.alloc(8));
/** Makes a head nearly as large as it may be. */
const LARGE = ['x', 'y'.repeat(15_000)] as const;

// oxfmt-ignore
const FLOODS: readonly Flood[] = [
  { sentence: 'rapid reset (CVE-2023-44487), with a key', budget: 'resets', rounds: 300, round: (n, key) => [call(n, key), reset(n)] },
  { sentence: 'rapid reset (CVE-2023-44487), without a key', budget: 'resets', rounds: 300, round: (n) => [head(id(n), grpcHead()), reset(n)] },
  { sentence: 'MadeYouReset (CVE-2025-8671) by a wrong length', budget: 'errors', rounds: 200, round: (n, key) => [call(n, key, ['content-length', '1']), data(n, 5)] },
  { sentence: 'MadeYouReset by a window update of nothing', budget: 'errors', rounds: 200, round: (n, key) => [call(n, key), frame(FRAME.WINDOW_UPDATE, 0, id(n), uint32(0))] },
  { sentence: 'MadeYouReset by a window beyond its limit', budget: 'errors', rounds: 200, round: (n, key) => [call(n, key), frame(FRAME.WINDOW_UPDATE, 0, id(n), uint32(0x7fff_ffff))] },
  { sentence: 'MadeYouReset by trailers that end nothing', budget: 'errors', rounds: 200, round: (n, key) => [call(n, key), head(id(n), [['a', 'b']])] },
  { sentence: 'MadeYouReset by data after the end', budget: 'errors', rounds: 200, round: (n, key) => [head(id(n), grpcHead(['x-api-key', key]), END_HEADERS | END_STREAM), data(n, 5)] },
  { sentence: 'names that are none', budget: 'errors', rounds: 200, round: (n) => [head(id(n), grpcHead(['Bad Name', 'x']))] },
  { sentence: 'calls that send nothing and never end', budget: 'errors', rounds: 500, round: (n, key) => [call(n, key)] },
  { sentence: 'pings (CVE-2019-9512)', budget: 'pings', rounds: 4_000, round: () => [PING] },
  { sentence: 'answers to pings that nobody sent', budget: 'pings', isLetGo: true, rounds: 4_000, round: () => [frame(FRAME.PING, 1, 0, Buffer.alloc(8))] },
  { sentence: 'settings (CVE-2019-9515)', budget: 'settings', rounds: 200, round: () => [SETTINGS] },
  { sentence: 'empty data (CVE-2019-9518)', budget: 'empty_frames', rounds: 10_000, round: (n, key) => [n === 0 ? call(0, key) : data(0, 0)] },
  { sentence: 'data that is only padding', budget: 'empty_frames', rounds: 10_000, round: (n, key) => [n === 0 ? call(0, key) : frame(FRAME.DATA, 0x8, 1, Buffer.from([1, 0]))] },
  { sentence: 'priorities (CVE-2019-9513)', budget: 'empty_frames', rounds: 10_000, round: (n) => [frame(FRAME.PRIORITY, 0, id(n), Buffer.from([0, 0, 0, 0, 1]))] },
  { sentence: 'heads in many pieces of nothing (CVE-2024-27983)', budget: 'empty_frames', rounds: 500, round: (n) => [head(id(n), grpcHead(), END_STREAM), ...Array.from({ length: 30 }, (_, i) => frame(FRAME.CONTINUATION, i === 29 ? END_HEADERS : 0, id(n)))] },
  { sentence: 'goodbyes', budget: 'empty_frames', rounds: 10_000, round: (n, key) => [n === 0 ? call(0, key) : frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))] },
  { sentence: 'window updates', budget: 'empty_frames', rounds: 10_000, round: () => [frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1))] },
  { sentence: 'frames of no known type', budget: 'empty_frames', rounds: 10_000, round: () => [frame(0x77, 0, 0)] },
  { sentence: 'large heads on a stream that was reset', budget: 'empty_frames', rounds: 300, round: (n) => [head(1, n === 0 ? grpcHead(['Bad Name', 'x']) : grpcHead(LARGE))] },
  { sentence: 'resets of streams that are over', budget: 'empty_frames', rounds: 10_000, round: (n) => [n === 0 ? head(1, grpcHead(), END_HEADERS | END_STREAM) : reset(0)] },
  { sentence: 'heads with too many fields', budget: 'large_heads', rounds: 10, round: (n, key) => [call(n, key, ...Array.from({ length: 200 }, () => ['a', 'b'] as const))] },
  { sentence: 'heads that are too long', budget: 'large_heads', rounds: 10, round: (n, key) => [call(n, key, ['x', 'y'.repeat(16_000)])] },
];

test('a flood of HTTP/2 frames', async (t) => {
  const server = await startWireServer(t, { limits: { maxStreams: 100 }, onCall: () => {} });
  for (const { sentence, budget, isLetGo, rounds, round } of FLOODS) {
    await t.test(`of ${sentence} ends its connection`, async (t) => {
      const [begun, spent] = [server.reports.length, server.spent.length];
      const connection = await connectFrames(t, server.port);
      await until('our settings are acknowledged', () => connection.of(FRAME.SETTINGS).length === 2);
      let sent = 0;
      for (; sent < rounds; sent++) {
        if (!(await connection.send(...round(sent, server.key)))) break;
        if (sent % 20 === 0) await new Promise(setImmediate); // lets the gateway's answers in
      }
      await connection.closed;
      assert.equal(lastWord(connection), isLetGo ? NO_ERROR : ENHANCE_YOUR_CALM);
      const told = [...(budget === 'large_heads' ? [] : ['warned']), ...(isLetGo ? [] : ['ended'])];
      assert.deepEqual(
        server.spent.slice(spent),
        told.map((how) => `${budget} ${how}`),
      );
      assert.ok(server.reports.length - begun <= 500, `${server.reports.length - begun} requests were begun`);
      await until('nothing is left of it', () => server.underWay.size + server.connections.size === 0);
      assert.equal(server.held.total, 0);
      assert.ok(server.calls.every((each) => each.isCancelled));
    });
  }
});

test('whoever has not heard of the limit of streams is refused what is beyond it, and ended for large heads', async (t) => {
  const REFUSED_STREAM = 7;
  const maxStreams = 10;
  const server = await startWireServer(t, { limits: { maxStreams }, onCall: () => {} });
  /** Opens as many streams as there may be, and goes on with so many heads. */
  const goBeyond = async (heads: number, ...more: Fields): Promise<FrameConnection> => {
    const connection = await connectFrames(t, server.port, { acknowledge: false });
    for (let n = 0; n < maxStreams; n++) await connection.send(call(n, server.key));
    for (let n = maxStreams; n < maxStreams + heads; n++) {
      if (!(await connection.send(head(id(n), grpcHead(...more))))) break;
      if (n % 20 === 0) await new Promise(setImmediate);
    }
    return connection;
  };

  const small = await goBeyond(1_000);
  await until('each is refused', () => small.of(FRAME.RST_STREAM).length === 1_000);
  assert.ok(small.of(FRAME.RST_STREAM).every(({ payload }) => payload.readUInt32BE(0) === REFUSED_STREAM));
  assert.deepEqual([server.spent, small.of(FRAME.GOAWAY).length, server.underWay.size], [[], 0, maxStreams]);

  const large = await goBeyond(1_000, LARGE);
  await until('it is ended', () => large.socket.closed);
  const refused = large.of(FRAME.RST_STREAM).length;
  assert.ok(refused < 200, `${refused} were refused before that`);
  assert.equal(lastWord(large), ENHANCE_YOUR_CALM);
  assert.deepEqual(server.spent, ['empty_frames warned', 'empty_frames ended']);
  assert.equal(server.underWay.size, maxStreams, 'the other connection is none the worse for it');
});

test('a header block without end is not collected', async (t) => {
  const server = await startWireServer(t);
  for (const [part, frames] of [
    [Buffer.alloc(0), 40],
    [block([['a', 'b'.repeat(8_000)]]), 10],
  ] as const) {
    const connection = await connectFrames(t, server.port);
    await connection.send(head(1, grpcHead(), 0));
    for (let n = 0; n < frames; n++) if (!(await connection.send(frame(FRAME.CONTINUATION, 0, 1, part)))) break;
    await connection.closed;
    assert.equal(lastWord(connection), ENHANCE_YOUR_CALM);
  }
});

test('the first heads beyond the limits are told so', async (t) => {
  const server = await startWireServer(t);
  const connection = await connectFrames(t, server.port);
  for (let n = 0; n < 3; n++) await connection.send(call(n, server.key, ['x', 'y'.repeat(16_000)]));
  await until('they are answered', () => connection.of(FRAME.HEADERS).length === 3);
  assert.deepEqual(
    server.reports.map(({ outcome, protocol }) => [outcome, protocol]),
    Array.from({ length: 3 }, () => ['header_limits', 'grpc']),
  );
});

test('a warned connection is asked to go, and serves what it has', async (t) => {
  const server = await startWireServer(t);
  const connection = await connectFrames(t, server.port);
  await connection.send(head(1, grpcHead(['x-api-key', server.key])));
  await until('the call is with the collector', () => server.calls.length === 1);
  for (let n = 1; n <= 155; n++) await connection.send(call(n, server.key), reset(n));
  await until('it is asked to go', () => connection.of(FRAME.GOAWAY).length > 0);
  assert.deepEqual(server.spent, ['resets warned']);
  await connection.send(frame(FRAME.DATA, END_STREAM, 1, Buffer.from('rest')));
  await connection.closed;
  const trailers = connection.received.filter(({ streamId, flags }) => streamId === 1 && (flags & END_STREAM) !== 0);
  assert.equal(trailers.length, 1, 'the call was not answered');
  assert.equal(lastWord(connection), NO_ERROR);
});

test('a busy sender that behaves meets no budget', async (t) => {
  const server = await startWireServer(t);
  const connection = await connectFrames(t, server.port);
  const REQUESTS = 3_000;
  for (let n = 0; n < REQUESTS;) {
    const frames: Buffer[] = [];
    for (const last = n + 50; n < last; n++) {
      frames.push(call(n, server.key), data(n, 200, END_STREAM));
      // What measures bandwidth pings with every answer; some reset what is answered, and widen windows by every answer.
      frames.push(
        PING,
        frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(200)),
        frame(FRAME.WINDOW_UPDATE, 0, id(n), uint32(200)),
      );
      if (n > 200) frames.push(reset(n - 200, 0));
    }
    assert.ok(await connection.send(...frames));
    await until('they are answered', () => server.reports.length === n);
  }
  assert.deepEqual([server.spent, connection.of(FRAME.GOAWAY).length], [[], 0]);
  assert.ok(server.reports.every(({ outcome }) => outcome === 'accepted'));
});

test('a long answer may be measured by a ping for each of its pieces', async (t) => {
  const PIECES = 3_000;
  const server = await startWireServer(t, {
    onCall: ({ caller }) => {
      caller.answered(answerHead(200, ['content-type', 'application/grpc']), [], false);
      for (let n = 0; n < PIECES; n++) caller.answerBytes(Buffer.from('piece'), false);
    },
  });
  const connection = await connectFrames(t, server.port);
  await connection.send(call(0, server.key));
  await until('it is there', () => connection.of(FRAME.DATA).length === PIECES);
  await connection.send(...Array.from({ length: PIECES }, () => PING));
  await until('all pings are answered', () => connection.of(FRAME.PING).length === PIECES);
  assert.deepEqual(server.spent, []);
});

function lastWord(connection: FrameConnection): number | undefined {
  return connection.of(FRAME.GOAWAY).at(-1)?.payload.readUInt32BE(4);
}
