import { connect } from 'node:net';
import {
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  LARGEST_WINDOW,
  PREFACE,
  SETTING,
} from '../src/plane/wire/http2/frames.ts';
import { HpackDecoder } from '../src/plane/wire/http2/hpack/decoder.ts';
import { createField, createGoEncoder } from './go-hpack.ts';
import type { Field, GoEncoder } from './go-hpack.ts';
import { bodyOf, GRPC_PATH } from './scenarios.ts';

/** One HTTP/2 connection of an exporter in Go, byte for byte: `streams` calls under way, each with another grpc-timeout. */
export interface ExporterOptions {
  readonly port: number;
  readonly streams: number;
  readonly bodyBytes: number;
  /** The Authorization of the next call; undefined once there are to be no more. */
  readonly next: () => Field | undefined;
  /** A call was answered with grpc-status 0. */
  readonly done: (tookMs: number) => void;
  /** Anything else. */
  readonly failed: (why: string) => void;
}

const { DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE } = FRAME;
const { END_STREAM, END_HEADERS, ACK } = FLAG;
/** More than the fields of a call can come to. */
const MAX_BLOCK_BYTES = 1_024;
/** What is left of the SDKs' ten seconds when a call is sent is hardly ever the same twice. */
const TIMEOUTS = Array.from({ length: 1_000 }, (_, i) =>
  createField('grpc-timeout', `${9_999_999 - ((i * 7) % 1_000)}u`),
);

interface Call {
  readonly startedAt: number;
  status: string;
  message: string;
}

/** Connects, and calls until there is no key any more. */
export function openExporter(options: ExporterOptions): { readonly close: () => void } {
  const { port, streams, bodyBytes, next, done, failed } = options;
  const message = bodyOf({ protocol: 'grpc', bodyBytes });
  const before = [
    createField(':method', 'POST'),
    createField(':scheme', 'http'),
    createField(':path', GRPC_PATH),
    createField(':authority', `127.0.0.1:${port}`),
    createField('content-type', 'application/grpc'),
    createField('user-agent', 'OTel OTLP Exporter Go/1.40.0 grpc-go/1.78.0'),
    createField('te', 'trailers'),
  ];
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const calls = new Map<number, Call>();
  const maxCallBytes = MAX_BLOCK_BYTES + 2 * FRAME_HEAD_BYTES + message.length;
  const out = Buffer.alloc(streams * maxCallBytes);
  const decoder = new HpackDecoder({ maxHeaders: 100, maxHeaderBytes: 16_384 });
  let encode: GoEncoder | undefined;
  let rest: Buffer = Buffer.alloc(0);
  let nextStream = 1;
  let window = DEFAULT_WINDOW;
  let isClosed = false;

  /** Begins as many calls as there may be, all in one write. */
  function begin(): void {
    const write = encode;
    if (write === undefined) return; // the other side has not said yet what it remembers
    let at = 0;
    while (calls.size < streams && window >= message.length) {
      const authorization = next();
      if (authorization === undefined) break;
      const timeout = TIMEOUTS[(nextStream >>> 1) % TIMEOUTS.length] as Field;
      const fields = [...before, timeout, authorization];
      const end = write(fields, out, at + FRAME_HEAD_BYTES);
      writeHead(out, at, end - at - FRAME_HEAD_BYTES, HEADERS, END_HEADERS, nextStream);
      writeHead(out, end, message.length, DATA, END_STREAM, nextStream);
      at = end + FRAME_HEAD_BYTES + message.copy(out, end + FRAME_HEAD_BYTES);
      window -= message.length;
      calls.set(nextStream, { startedAt: performance.now(), status: 'no grpc-status', message: '' });
      nextStream += 2;
    }
    if (at > 0) socket.write(Buffer.from(out.subarray(0, at)));
  }

  function onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    const call = calls.get(stream);
    if (type === HEADERS) {
      const fields = decoder.decode(payload);
      if (call !== undefined && typeof fields !== 'string') readStatus(call, fields);
    }
    if (call !== undefined && (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
      calls.delete(stream);
      if (call.status === '0') done(performance.now() - call.startedAt);
      else failed(`a call was answered with ${call.status}: ${call.message}`);
    } else if (type === RST_STREAM && call !== undefined) {
      calls.delete(stream);
      failed(`a stream was reset with code ${payload.readUInt32BE(0)}`);
    } else if (type === SETTINGS && (flags & ACK) === 0) {
      encode ??= createGoEncoder(settingOf(payload, SETTING.HEADER_TABLE_SIZE) ?? Infinity);
      socket.write(frame(SETTINGS, ACK, Buffer.alloc(0)));
    } else if (type === PING && (flags & ACK) === 0) {
      socket.write(frame(PING, ACK, payload));
    } else if (type === WINDOW_UPDATE && stream === 0) {
      window += payload.readUInt32BE(0);
    } else if (type === GOAWAY) {
      failed(`GOAWAY with code ${payload.readUInt32BE(4)}`);
    }
  }

  socket.on('connect', () => {
    const update = Buffer.alloc(4);
    update.writeUInt32BE(LARGEST_WINDOW - DEFAULT_WINDOW);
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, Buffer.alloc(0)), frame(WINDOW_UPDATE, 0, update)]));
  });
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const [type, flags] = [bytes[at + 3] as number, bytes[at + 4] as number];
      onFrame(type, flags, bytes.readUInt32BE(at + 5) & LARGEST_WINDOW, bytes.subarray(at + FRAME_HEAD_BYTES, end));
      at = end;
    }
    rest = bytes.subarray(at);
    if (calls.size < streams) begin();
  });
  socket.on('error', (error) => void (isClosed || failed(error.message)));
  socket.on('close', () => void (isClosed || failed('the connection was closed')));
  return {
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}

function readStatus(call: Call, fields: readonly string[]): void {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === 'grpc-status') call.status = fields[i + 1] ?? '';
    if (fields[i] === 'grpc-message') call.message = fields[i + 1] ?? '';
  }
}

function settingOf(payload: Buffer, wanted: number): number | undefined {
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    if (payload.readUInt16BE(at) === wanted) return payload.readUInt32BE(at + 2);
  }
  return undefined;
}

function frame(type: number, flags: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  writeHead(bytes, 0, payload.length, type, flags, 0);
  payload.copy(bytes, FRAME_HEAD_BYTES);
  return bytes;
}

function writeHead(into: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  into.writeUIntBE(length, at, 3);
  into[at + 3] = type;
  into[at + 4] = flags;
  into.writeUInt32BE(stream, at + 5);
}
