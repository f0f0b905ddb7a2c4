import { DEFAULT_MAX_FRAME_SIZE, FLAG, FRAME, FRAME_HEAD_BYTES, type ErrorCode } from './frames.ts';

/** HTTP/2 frames as they go out (RFC 9113 sections 4 and 6), composed where they leave from. */

/** Where frames are composed. */
export interface FrameOutput {
  /** Where reserved room lies; changes with every `reserve`. */
  readonly bytes: Buffer;
  reserve(size: number): number;
  append(chunk: Buffer): void;
}

/** The peer's maximum frame size and both windows are the caller's to keep to. */
export function writeData(output: FrameOutput, streamId: number, payload: Buffer, endStream: boolean): void {
  beginFrame(output, payload.length, FRAME.DATA, endStream ? FLAG.END_STREAM : 0, streamId);
  output.append(payload);
}

/** A header block, given in parts that need not be joined; what one frame cannot hold goes on in CONTINUATION. */
export function writeHeaders(
  output: FrameOutput,
  streamId: number,
  block: readonly Buffer[],
  endStream: boolean,
  maxFrameSize: number,
): void {
  let left = 0;
  for (const part of block) left += part.length;
  const largest = Math.min(maxFrameSize, DEFAULT_MAX_FRAME_SIZE);
  let type: number = FRAME.HEADERS;
  let flags = endStream ? FLAG.END_STREAM : 0;
  let index = 0;
  let from = 0;
  do {
    const size = Math.min(left, largest);
    left -= size;
    let at = beginFrame(output, size, type, left === 0 ? flags | FLAG.END_HEADERS : flags, streamId);
    const end = at + size;
    while (at < end) {
      const part = block[index] as Buffer;
      const to = Math.min(part.length, from + end - at);
      at = copyBytes(part, from, to, output.bytes, at);
      if (to === part.length) index += 1;
      from = to === part.length ? 0 : to;
    }
    type = FRAME.CONTINUATION;
    flags = 0;
  } while (left > 0);
}

export function writeRstStream(output: FrameOutput, streamId: number, code: ErrorCode): void {
  const at = beginFrame(output, 4, FRAME.RST_STREAM, 0, streamId);
  output.bytes.writeUInt32BE(code, at);
}

/** Our SETTINGS; without any it still is a frame that must be acknowledged. */
export function writeSettings(output: FrameOutput, settings: readonly (readonly [id: number, value: number])[]): void {
  let at = beginFrame(output, 6 * settings.length, FRAME.SETTINGS, 0, 0);
  for (const [id, value] of settings) {
    output.bytes.writeUInt16BE(id, at);
    output.bytes.writeUInt32BE(value, at + 2);
    at += 6;
  }
}

export function writeSettingsAck(output: FrameOutput): void {
  beginFrame(output, 0, FRAME.SETTINGS, FLAG.ACK, 0);
}

/** A ping of ours, or the answer to theirs with the 8 bytes that they sent. */
export function writePing(output: FrameOutput, payload: Buffer, isAck: boolean): void {
  const at = beginFrame(output, 8, FRAME.PING, isAck ? FLAG.ACK : 0, 0);
  copyBytes(payload, 0, 8, output.bytes, at);
}

export function writeGoaway(output: FrameOutput, lastStreamId: number, code: ErrorCode, why = ''): void {
  const at = beginFrame(output, 8 + why.length, FRAME.GOAWAY, 0, 0);
  output.bytes.writeUInt32BE(lastStreamId, at);
  output.bytes.writeUInt32BE(code, at + 4);
  output.bytes.write(why, at + 8, 'latin1');
}

export function writeWindowUpdate(output: FrameOutput, streamId: number, increment: number): void {
  const at = beginFrame(output, 4, FRAME.WINDOW_UPDATE, 0, streamId);
  output.bytes.writeUInt32BE(increment, at);
}

/**
 * Writes a frame's head and makes room for its payload, unless that is data, which is appended. Says where the payload
 * begins.
 */
function beginFrame(output: FrameOutput, length: number, type: number, flags: number, streamId: number): number {
  const at = output.reserve(type === FRAME.DATA ? FRAME_HEAD_BYTES : FRAME_HEAD_BYTES + length);
  const bytes = output.bytes;
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
  return at + FRAME_HEAD_BYTES;
}

/** Below this many bytes a loop is faster than a call that leaves JavaScript. */
const LONGEST_LOOP = 40;

/** Copies and says where the copy ends. */
function copyBytes(source: Buffer, from: number, to: number, target: Buffer, start: number): number {
  const size = to - from;
  if (size > LONGEST_LOOP) target.set(size === source.length ? source : source.subarray(from, to), start);
  else for (let i = 0; i < size; i++) target[start + i] = source[from + i] as number;
  return start + size;
}
