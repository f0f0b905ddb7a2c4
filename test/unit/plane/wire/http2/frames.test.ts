import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  DEFAULT_MAX_FRAME_SIZE,
  ERROR,
  FLAG,
  FRAME,
  FrameReader,
  headerBlockOf,
} from '../../../../../src/plane/wire/http2/frames.ts';
import { frame } from '../../../../support/h2-frames.ts';

type Told =
  | { readonly data: string; readonly streamId: number; readonly flowBytes: number; readonly endStream: boolean }
  | { readonly type: number; readonly flags: number; readonly streamId: number; readonly payload: string }
  | { readonly error: number };

interface Reading {
  readonly told: Told[];
  readonly reader: FrameReader;
}

function reading(stopAt = Infinity): Reading {
  const told: Told[] = [];
  const tell = (one: Told): void => {
    told.push(one);
    if (told.length === stopAt) reader.stop();
  };
  const reader = new FrameReader(
    {
      onData: (streamId, piece, flowBytes, endStream) =>
        tell({ data: piece.toString('latin1'), streamId, flowBytes, endStream }),
      onFrame: (type, flags, streamId, payload) => tell({ type, flags, streamId, payload: payload.toString('latin1') }),
      onError: (code) => tell({ error: code }),
    },
    DEFAULT_MAX_FRAME_SIZE,
  );
  return { told, reader };
}

function readAll(...chunks: readonly Buffer[]): Told[] {
  const { told, reader } = reading();
  // Bytes are the reader's only until it returns.
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk);
    reader.read(copy);
    copy.fill(0xee);
  }
  return told;
}

const bytewise = (whole: Buffer): Buffer[] => Array.from(whole, (byte) => Buffer.from([byte]));
const text = (value: string): Buffer => Buffer.from(value, 'latin1');

describe('DATA', () => {
  it('is told piece by piece, and its end with the last one', () => {
    const whole = frame(FRAME.DATA, FLAG.END_STREAM, 3, text('abcdef'));
    assert.deepEqual(readAll(whole), [{ data: 'abcdef', streamId: 3, flowBytes: 6, endStream: true }]);
    assert.deepEqual(readAll(whole.subarray(0, 11), whole.subarray(11)), [
      { data: 'ab', streamId: 3, flowBytes: 2, endStream: false },
      { data: 'cdef', streamId: 3, flowBytes: 4, endStream: true },
    ]);
  });

  it('without a byte is told once', () => {
    const whole = frame(FRAME.DATA, FLAG.END_STREAM, 3);
    const told = [{ data: '', streamId: 3, flowBytes: 0, endStream: true }];
    assert.deepEqual(readAll(whole), told);
    assert.deepEqual(readAll(...bytewise(whole)), told);
  });

  it('has no padding among its bytes, which counts for flow control all the same', () => {
    const whole = frame(
      FRAME.DATA,
      FLAG.PADDED | FLAG.END_STREAM,
      3,
      Buffer.concat([text('\x04abcd'), Buffer.alloc(4)]),
    );
    assert.deepEqual(readAll(whole), [{ data: 'abcd', streamId: 3, flowBytes: 9, endStream: true }]);
    assert.deepEqual(readAll(whole.subarray(0, 10), whole.subarray(10, 15), whole.subarray(15)), [
      { data: 'abcd', streamId: 3, flowBytes: 6, endStream: false },
      { data: '', streamId: 3, flowBytes: 3, endStream: true },
    ]);
  });

  it('may be padding alone', () => {
    assert.deepEqual(readAll(frame(FRAME.DATA, FLAG.PADDED, 1, text('\x00'))), [
      { data: '', streamId: 1, flowBytes: 1, endStream: false },
    ]);
    assert.deepEqual(readAll(frame(FRAME.DATA, FLAG.PADDED, 1, text('\x02..'))), [
      { data: '', streamId: 1, flowBytes: 3, endStream: false },
    ]);
  });
});

describe('a frame that breaks a rule of its own', () => {
  const cases: readonly [string, Buffer, number][] = [
    ['DATA on stream 0', frame(FRAME.DATA, 0, 0, text('a')), ERROR.PROTOCOL_ERROR],
    ['DATA longer than allowed', frame(FRAME.DATA, 0, 1, Buffer.alloc(16_385)), ERROR.FRAME_SIZE_ERROR],
    ['DATA padded beyond its end', frame(FRAME.DATA, FLAG.PADDED, 1, text('\x03ab')), ERROR.PROTOCOL_ERROR],
    ['DATA without the length of its padding', frame(FRAME.DATA, FLAG.PADDED, 1), ERROR.FRAME_SIZE_ERROR],
    ['HEADERS on stream 0', frame(FRAME.HEADERS, 0, 0, text('a')), ERROR.PROTOCOL_ERROR],
    [
      'HEADERS too short for its priority',
      frame(FRAME.HEADERS, FLAG.PRIORITY, 1, text('abcd')),
      ERROR.FRAME_SIZE_ERROR,
    ],
    ['PRIORITY on stream 0', frame(FRAME.PRIORITY, 0, 0, text('abcde')), ERROR.PROTOCOL_ERROR],
    ['PRIORITY of 4 bytes', frame(FRAME.PRIORITY, 0, 1, text('abcd')), ERROR.FRAME_SIZE_ERROR],
    ['RST_STREAM on stream 0', frame(FRAME.RST_STREAM, 0, 0, text('abcd')), ERROR.PROTOCOL_ERROR],
    ['RST_STREAM of 3 bytes', frame(FRAME.RST_STREAM, 0, 1, text('abc')), ERROR.FRAME_SIZE_ERROR],
    ['SETTINGS on a stream', frame(FRAME.SETTINGS, 0, 1), ERROR.PROTOCOL_ERROR],
    ['SETTINGS of 5 bytes', frame(FRAME.SETTINGS, 0, 0, text('abcde')), ERROR.FRAME_SIZE_ERROR],
    ['SETTINGS that acknowledge and set', frame(FRAME.SETTINGS, FLAG.ACK, 0, text('abcdef')), ERROR.FRAME_SIZE_ERROR],
    ['PUSH_PROMISE', frame(FRAME.PUSH_PROMISE, FLAG.END_HEADERS, 1, text('abcd')), ERROR.PROTOCOL_ERROR],
    ['PING on a stream', frame(FRAME.PING, 0, 1, text('abcdefgh')), ERROR.PROTOCOL_ERROR],
    ['PING of 7 bytes', frame(FRAME.PING, 0, 0, text('abcdefg')), ERROR.FRAME_SIZE_ERROR],
    ['GOAWAY on a stream', frame(FRAME.GOAWAY, 0, 1, text('abcdefgh')), ERROR.PROTOCOL_ERROR],
    ['GOAWAY of 7 bytes', frame(FRAME.GOAWAY, 0, 0, text('abcdefg')), ERROR.FRAME_SIZE_ERROR],
    ['WINDOW_UPDATE of 5 bytes', frame(FRAME.WINDOW_UPDATE, 0, 1, text('abcde')), ERROR.FRAME_SIZE_ERROR],
    ['CONTINUATION on stream 0', frame(FRAME.CONTINUATION, 0, 0, text('a')), ERROR.PROTOCOL_ERROR],
    ['a frame of an unknown type longer than allowed', frame(0xbe, 0, 1, Buffer.alloc(16_385)), ERROR.FRAME_SIZE_ERROR],
  ];
  const good = frame(FRAME.PING, 0, 0, text('abcdefgh'));

  for (const [what, broken, code] of cases) {
    it(`is an error of the connection, and the last that is read: ${what}`, () => {
      const whole = Buffer.concat([good, broken, good]);
      for (const chunks of [[whole], bytewise(whole.subarray(0, 100))]) {
        const told = readAll(...chunks);
        assert.equal(told.length, 2);
        assert.deepEqual(told[1], { error: code });
      }
    });
  }
});

describe('a frame', () => {
  it('has a stream without the reserved bit', () => {
    const whole = frame(FRAME.WINDOW_UPDATE, 0, 5, text('\x00\x00\x00\x01'));
    whole[5] = 0x80;
    assert.deepEqual(readAll(whole), [{ type: 8, flags: 0, streamId: 5, payload: '\x00\x00\x00\x01' }]);
    const last = frame(FRAME.WINDOW_UPDATE, 0, 2 ** 31 - 1, text('\x00\x00\x00\x01'));
    assert.deepEqual(readAll(last), [{ type: 8, flags: 0, streamId: 2 ** 31 - 1, payload: '\x00\x00\x00\x01' }]);
  });

  it('of an unknown type is told like any other', () => {
    assert.deepEqual(readAll(frame(0xbe, 0xff, 0, text('abc'))), [
      { type: 0xbe, flags: 0xff, streamId: 0, payload: 'abc' },
    ]);
  });

  it('is the last that is told when the reader is stopped meanwhile', () => {
    const { told, reader } = reading(2);
    const ping = frame(FRAME.PING, 0, 0, text('abcdefgh'));
    for (const chunk of bytewise(Buffer.concat([ping, ping, ping]))) reader.read(chunk);
    reader.read(Buffer.concat([ping, ping]));
    assert.equal(told.length, 2);
  });
});

describe('the header block of a HEADERS frame', () => {
  it('is what padding and priority leave of it', () => {
    assert.equal(headerBlockOf(0, text('block'))?.toString(), 'block');
    assert.equal(headerBlockOf(FLAG.PRIORITY, text('12345block'))?.toString(), 'block');
    assert.equal(headerBlockOf(FLAG.PADDED, text('\x02block..'))?.toString(), 'block');
    assert.equal(headerBlockOf(FLAG.PADDED | FLAG.PRIORITY, text('\x0212345block..'))?.toString(), 'block');
    assert.equal(headerBlockOf(FLAG.PADDED, text('\x02..'))?.toString(), '');
  });

  it('is none if its padding is longer than it', () => {
    assert.equal(headerBlockOf(FLAG.PADDED, text('\x03..')), undefined);
    assert.equal(headerBlockOf(FLAG.PADDED | FLAG.PRIORITY, text('\x0312345..')), undefined);
  });
});

describe('any stream of frames', () => {
  const someFrame = fc
    .tuple(
      fc.constantFrom(0, 0, 0, 1, 1, 3, 4, 6, 8, 9, 0xbe),
      fc.constantFrom(0, 1, 8, 9, 0x20, 0x29),
      fc.integer({ min: 0, max: 9 }),
      fc.uint8Array({ maxLength: 300 }),
    )
    .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, Buffer.from(payload)));
  const stream = fc
    .array(fc.oneof({ weight: 9, arbitrary: someFrame }, fc.uint8Array({ maxLength: 30 })), { maxLength: 20 })
    .map((parts) => Buffer.concat(parts));

  /** Pieces of one DATA frame, which depend on where the bytes were cut, put together again. */
  function joined(told: readonly Told[]): Told[] {
    const result: Told[] = [];
    for (const one of told) {
      const last = result.at(-1);
      if (last !== undefined && 'data' in last && 'data' in one && last.streamId === one.streamId && !last.endStream) {
        const data = last.data + one.data;
        result[result.length - 1] = { ...one, data, flowBytes: last.flowBytes + one.flowBytes };
      } else {
        result.push(one);
      }
    }
    return result;
  }

  it('means the same however it is chopped', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 }),
        (whole, sizes) => {
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < whole.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            chunks.push(whole.subarray(at, at + size));
            at += size;
          }
          assert.deepEqual(joined(readAll(...chunks)), joined(readAll(whole)));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('made of random bytes is read without a fault of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        // A first byte of 0 keeps the lengths of most below the limit.
        const told = readAll(Buffer.from(bytes.map((byte, i) => (i % 9 < 2 ? 0 : byte))), Buffer.from(bytes));
        assert.ok(told.filter((one) => 'error' in one).length <= 1);
      }),
      { numRuns: 1_000 },
    );
  });
});
