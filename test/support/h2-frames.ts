import type * as net from 'node:net';
import type { TestContext } from 'node:test';
import { connectRaw } from './http-client.ts';

/** HTTP/2 frame by frame (RFC 9113), for what no HTTP/2 library would send. */

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
const ACK = 0x1;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A 32-bit number as the payload of RST_STREAM, WINDOW_UPDATE and the like. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** A header block of literals that enter no table (RFC 7541 section 6.2.2): it says exactly what it says. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 section 5.1, with the bits before the prefix all zero. */
function integer(value: number, prefixBits: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.from([value]);
  const bytes = [max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const SETTINGS = frame(FRAME.SETTINGS, 0, 0);

export const SETTINGS_ACK = frame(FRAME.SETTINGS, ACK, 0);

/** Cuts what a socket receives into frames, behind so many bytes of something else. */
export function readFrames(socket: net.Socket, hear: (frame: Frame) => void, skippedBytes = 0): void {
  let rest: Buffer = Buffer.alloc(0);
  let toSkip = skippedBytes;
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk.subarray(toSkip)]);
    toSkip = Math.max(0, toSkip - chunk.length);
    while (rest.length >= 9) {
      const end = 9 + rest.readUIntBE(0, 3);
      if (rest.length < end) return;
      const [type, flags, streamId] = [rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5)];
      const payload = rest.subarray(9, end);
      rest = rest.subarray(end);
      hear({ type, flags, streamId, payload });
    }
  });
}

export interface FrameConnection {
  readonly socket: net.Socket;
  readonly received: readonly Frame[];
  /** Writes and waits until the other side takes it; false once the connection is closed. */
  send(...frames: readonly Buffer[]): Promise<boolean>;
  /** The frames of this type, so far. */
  of(type: number): readonly Frame[];
  readonly closed: Promise<void>;
}

export interface FrameConnectionOptions {
  /** What is sent first; by default the preface and empty SETTINGS. */
  readonly opening?: Buffer;
  /** Acknowledges SETTINGS as they come; an attacker does not. */
  readonly acknowledge?: boolean;
}

export async function connectFrames(
  t: TestContext,
  port: number,
  options: FrameConnectionOptions = {},
): Promise<FrameConnection> {
  const { opening = Buffer.concat([PREFACE, SETTINGS]), acknowledge = true } = options;
  const socket = await connectRaw(t, port);
  const received: Frame[] = [];
  readFrames(socket, (taken) => {
    received.push(taken);
    if (acknowledge && taken.type === FRAME.SETTINGS && (taken.flags & ACK) === 0) socket.write(SETTINGS_ACK);
  });
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  socket.write(opening);
  return {
    socket,
    received,
    closed,
    of: (type) => received.filter((one) => one.type === type),
    async send(...frames) {
      if (!socket.writable) return false;
      if (!socket.write(Buffer.concat(frames)))
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
      return socket.writable;
    },
  };
}

/** The head of a gRPC call for traces. */
export function grpcHead(...more: Fields): Fields {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'gateway'],
    [':path', '/opentelemetry.proto.collector.trace.v1.TraceService/Export'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ];
}
