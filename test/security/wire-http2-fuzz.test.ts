import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { block, connectFrames, END_HEADERS, END_STREAM, frame, FRAME, grpcHead, uint32 } from '../support/h2-frames.ts';
import type { Frame } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { startWireServer } from '../support/wire-server.ts';

/**
 * Frames by chance, sensible ones and others, in pieces by chance. Whatever comes: nothing throws, nothing that was cut looks
 * whole to the collector, and when the connection is gone, so is all that it held.
 */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
const IDS = [1, 3, 5, 7, 9, 11];

const id = fc.constantFrom(...IDS);
const anyId = fc.oneof({ weight: 8, arbitrary: id }, { weight: 1, arbitrary: fc.constantFrom(0, 2, 2 ** 31 - 1) });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const flags = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, END_HEADERS, END_STREAM, END_HEADERS | END_STREAM) },
  { weight: 1, arbitrary: fc.nat(255) },
);

const frames = (key: string): fc.Arbitrary<Frame> => {
  const head = fc.record({ id, flags, length: fc.option(fc.nat(20)) }).map(({ id, flags, length }) => ({
    type: FRAME.HEADERS,
    flags,
    streamId: id,
    payload: block(
      grpcHead(
        ['x-api-key', key],
        ['x-stream', String(id)],
        ...(length === null ? [] : [['content-length', String(length)] as const]),
      ),
    ),
  }));
  const of = (type: number, payload: fc.Arbitrary<Buffer>, streamId: fc.Arbitrary<number> = anyId) =>
    fc.record({ type: fc.constant(type), flags, streamId, payload });
  const number = fc.constantFrom(0, 1, 8, 1_000, 65_535, 2 ** 31 - 1).map(uint32);
  const zero = fc.constant(0);
  return fc.oneof(
    { weight: 6, arbitrary: head },
    { weight: 6, arbitrary: of(FRAME.DATA, bytes, id) },
    { weight: 1, arbitrary: of(FRAME.HEADERS, bytes) },
    { weight: 1, arbitrary: of(FRAME.CONTINUATION, fc.oneof(bytes, fc.constant(block([['a', 'b']])))) },
    { weight: 2, arbitrary: of(FRAME.RST_STREAM, number, id) },
    { weight: 2, arbitrary: of(FRAME.WINDOW_UPDATE, number) },
    {
      weight: 1,
      arbitrary: of(
        FRAME.SETTINGS,
        fc.tuple(fc.nat(8), number).map(([name, value]) => Buffer.concat([Buffer.from([0, name]), value])),
        zero,
      ),
    },
    { weight: 1, arbitrary: of(FRAME.PING, fc.constant(Buffer.alloc(8)), zero) },
    { weight: 1, arbitrary: fc.record({ type: fc.nat(12), flags, streamId: anyId, payload: bytes }) },
  );
};

test('frames by chance break nothing', { timeout: 120_000 }, async (t) => {
  const server = await startWireServer(t, {
    limits: { maxStreams: 5 },
    onCall: (call) => {
      const n = server.calls.indexOf(call);
      if (n % 3 === 0) call.answer(Buffer.alloc(100_000));
      else if (n % 3 === 1) void call.body.then((body) => call.answer(body));
    },
  });
  const plan = fc.record({
    all: fc.array(frames(server.key), { maxLength: 60 }),
    cuts: fc.array(fc.nat(3_000), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ all, cuts }) => {
      const before = server.calls.length;
      const connection = await connectFrames(t, server.port);
      await until('settings came', () => connection.of(FRAME.SETTINGS).length > 0);
      const wire = Buffer.concat(all.map((one) => frame(one.type, one.flags, one.streamId, one.payload)));
      const places = [...cuts.map((at) => Math.min(at, wire.length)).sort((a, b) => a - b), wire.length];
      let from = 0;
      for (const to of places) {
        await connection.send(wire.subarray(from, to));
        await new Promise(setImmediate);
        from = to;
      }
      connection.socket.end();
      await connection.closed;
      await until('nothing is left of it', () => server.underWay.size + server.connections.size === 0);
      assert.equal(server.held.total, 0);
      const ended = new Set(
        all
          .filter((one) => one.type <= FRAME.HEADERS && (one.flags & END_STREAM) !== 0)
          .map(({ streamId }) => String(streamId)),
      );
      for (const call of server.calls.slice(before)) {
        const { fields } = call.request.head;
        const stream = fields[fields.indexOf('x-stream') + 1] ?? '';
        if (call.isWhole) assert.ok(ended.has(stream), `what came on stream ${stream} was cut and looks whole`);
        const { bodyLength } = call.request;
        if (call.isWhole && bodyLength !== undefined) assert.equal(call.bytes, bodyLength);
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(server.calls.length > 0); // some of it was let through
});
