import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  LARGEST_WINDOW,
  PREFACE,
} from '../src/plane/wire/http2/frames.ts';

/**
 * One HTTP/2 connection of the sink, without HPACK, streams or windows of its own: a request has ended where its stream
 * has, and each gets the same answer. It trusts its peer, which is why it is no test of one.
 */

const { DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE } = FRAME;
const { END_STREAM, END_HEADERS, ACK } = FLAG;
/** The connection's window is refilled in steps of this size: it never runs empty, and hardly costs a frame. */
const REFILL_BYTES = 1 << 26;

/** RFC 7541 6.3: "the table is empty from now on", owed to a peer that has announced a smaller one, welcome to any other. */
const NO_TABLE = Buffer.from([0x20]);
/** Nothing of these blocks is indexed, so that they say the same on every stream. */
const HEAD_BLOCK = Buffer.concat([Buffer.from([0x88, 0x0f, 0x10, 16]), Buffer.from('application/grpc')]);
const TRAILER_BLOCK = Buffer.concat([
  Buffer.from([0, 11]),
  Buffer.from('grpc-status'),
  Buffer.from([1]),
  Buffer.from('0'),
]);
const EMPTY_MESSAGE = Buffer.alloc(5);
const ANSWER = Buffer.concat([
  frame(HEADERS, END_HEADERS, HEAD_BLOCK),
  frame(DATA, 0, EMPTY_MESSAGE),
  frame(HEADERS, END_HEADERS | END_STREAM, TRAILER_BLOCK),
]);
const FRAME_STARTS = [
  0,
  FRAME_HEAD_BYTES + HEAD_BLOCK.length,
  2 * FRAME_HEAD_BYTES + HEAD_BLOCK.length + EMPTY_MESSAGE.length,
];
const FIRST_ANSWER = Buffer.concat([
  frame(HEADERS, END_HEADERS, Buffer.concat([NO_TABLE, HEAD_BLOCK])),
  ANSWER.subarray(FRAME_STARTS[1]),
]);
/** With what a collector greets that takes as much as anybody has to send. */
export const HELLO = Buffer.concat([
  frame(SETTINGS, 0, Buffer.from([0, 3, 0, 0, 4, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])), // 1,024 streams, the largest window
  windowUpdate(LARGEST_WINDOW - DEFAULT_WINDOW),
]);

export function createGrpcSink(write: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let prefaceLeft = PREFACE.length;
  let payloadLeft = 0;
  /** The stream that ends with the payload that is being skipped. */
  let ending = 0;
  let isFirstAnswer = true;
  let received = 0;
  write(HELLO);

  function answer(streams: readonly number[]): void {
    if (streams.length === 0) return;
    const extra = isFirstAnswer ? NO_TABLE.length : 0;
    const bytes = Buffer.allocUnsafe(streams.length * ANSWER.length + extra);
    let at = 0;
    for (const stream of streams) {
      const shift = isFirstAnswer ? NO_TABLE.length : 0;
      (isFirstAnswer ? FIRST_ANSWER : ANSWER).copy(bytes, at);
      isFirstAnswer = false;
      for (const [i, start] of FRAME_STARTS.entries())
        bytes.writeUInt32BE(stream, at + start + 5 + (i > 0 ? shift : 0));
      at += ANSWER.length + shift;
    }
    write(bytes);
  }

  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const ended: number[] = [];
    let at = Math.min(prefaceLeft, bytes.length);
    prefaceLeft -= at;
    for (;;) {
      const skipped = Math.min(payloadLeft, bytes.length - at);
      payloadLeft -= skipped;
      at += skipped;
      if (payloadLeft > 0) break;
      if (ending !== 0) ended.push(ending);
      ending = 0;
      if (bytes.length - at < FRAME_HEAD_BYTES) break;
      const length = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3] as number;
      const flags = bytes[at + 4] as number;
      if (type === PING && bytes.length - at < FRAME_HEAD_BYTES + length) break;
      if (type === PING && (flags & ACK) === 0) write(frame(PING, ACK, bytes.subarray(at + 9, at + 9 + length)));
      if (type === SETTINGS && (flags & ACK) === 0) write(frame(SETTINGS, ACK, Buffer.alloc(0)));
      if (type === DATA) received += length;
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
        ending = bytes.readUInt32BE(at + 5) & LARGEST_WINDOW;
      }
      at += FRAME_HEAD_BYTES;
      payloadLeft = length;
    }
    rest = bytes.subarray(at);
    answer(ended);
    if (received >= REFILL_BYTES) {
      write(windowUpdate(received));
      received = 0;
    }
  };
}

function frame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(WINDOW_UPDATE, 0, payload);
}
