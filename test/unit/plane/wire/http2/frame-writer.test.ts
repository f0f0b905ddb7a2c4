import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  writeData,
  writeGoaway,
  writeHeaders,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
  type FrameOutput,
} from '../../../../../src/plane/wire/http2/frame-writer.ts';
import { ERROR, FLAG, FRAME } from '../../../../../src/plane/wire/http2/frames.ts';
import { frame, uint32 } from '../../../../support/h2-frames.ts';

/** Where bytes stand as they leave. */
function written(write: (output: FrameOutput) => void): Buffer {
  const bytes = Buffer.alloc(100_000);
  let end = 7; // others have written before
  write({
    bytes,
    reserve(size) {
      end += size;
      return end - size;
    },
    append(chunk) {
      end += chunk.copy(bytes, end);
    },
  });
  return bytes.subarray(7, end);
}

describe('a frame that leaves', () => {
  it('is DATA with its payload', () => {
    const payload = Buffer.from('telemetry');
    assert.deepEqual(
      written((output) => writeData(output, 2 ** 31 - 1, payload, true)),
      frame(FRAME.DATA, FLAG.END_STREAM, 2 ** 31 - 1, payload),
    );
    assert.deepEqual(
      written((output) => writeData(output, 5, Buffer.alloc(70_000), false)),
      frame(FRAME.DATA, 0, 5, Buffer.alloc(70_000)),
    );
  });

  it('is RST_STREAM, SETTINGS, PING, GOAWAY or WINDOW_UPDATE', () => {
    assert.deepEqual(
      written((output) => {
        writeRstStream(output, 5, ERROR.CANCEL);
        writeSettings(output, [
          [1, 0],
          [4, 262_144],
        ]);
        writeSettings(output, []);
        writeSettingsAck(output);
        writePing(output, Buffer.from('12345678'), false);
        writePing(output, Buffer.from('12345678'), true);
        writeGoaway(output, 2 ** 31 - 1, ERROR.ENHANCE_YOUR_CALM, 'too many pings');
        writeGoaway(output, 0, ERROR.NO_ERROR);
        writeWindowUpdate(output, 0, 2 ** 31 - 1);
      }),
      Buffer.concat([
        frame(FRAME.RST_STREAM, 0, 5, uint32(8)),
        frame(FRAME.SETTINGS, 0, 0, Buffer.from('000100000000000400040000', 'hex')),
        frame(FRAME.SETTINGS, 0, 0),
        frame(FRAME.SETTINGS, FLAG.ACK, 0),
        frame(FRAME.PING, 0, 0, Buffer.from('12345678')),
        frame(FRAME.PING, FLAG.ACK, 0, Buffer.from('12345678')),
        frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(2 ** 31 - 1), uint32(11), Buffer.from('too many pings')])),
        frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(0), uint32(0)])),
        frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1)),
      ]),
    );
  });

  it('is HEADERS with the parts of its block behind each other', () => {
    const parts = ['a', '', 'b'.repeat(100), 'c'].map((part) => Buffer.from(part));
    assert.deepEqual(
      written((output) => writeHeaders(output, 5, parts, true, 16_384)),
      frame(FRAME.HEADERS, FLAG.END_STREAM | FLAG.END_HEADERS, 5, Buffer.concat(parts)),
    );
    assert.deepEqual(
      written((output) => writeHeaders(output, 5, [], false, 16_384)),
      frame(FRAME.HEADERS, FLAG.END_HEADERS, 5),
    );
  });

  it('is followed by CONTINUATION where a block is longer than a frame of the peer may be', () => {
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251));
    const parts = [
      bytes.subarray(0, 10),
      bytes.subarray(10, 16_384),
      bytes.subarray(16_384, 40_000),
      bytes.subarray(40_000),
    ];
    assert.deepEqual(
      written((output) => writeHeaders(output, 5, parts, true, 1_000_000)),
      Buffer.concat([
        frame(FRAME.HEADERS, FLAG.END_STREAM, 5, bytes.subarray(0, 16_384)),
        frame(FRAME.CONTINUATION, 0, 5, bytes.subarray(16_384, 32_768)),
        frame(FRAME.CONTINUATION, 0, 5, bytes.subarray(32_768, 49_152)),
        frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 5, bytes.subarray(49_152)),
      ]),
    );
  });
});
