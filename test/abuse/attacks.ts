import { createKeyText } from '../../src/credential/key-text.ts';
import {
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  FRAME,
  grpcHead,
  PREFACE,
  SETTINGS,
  uint32,
} from '../support/h2-frames.ts';
import type { Fields } from '../support/h2-frames.ts';

/** How one connection of an attacker behaves. */
export interface Attack {
  readonly port: 'grpc' | 'http';
  readonly connections: number;
  /** Sent once. */
  readonly opening: Buffer;
  /** Sent again and again, as fast as it is taken or once in so many ms; nothing if absent. */
  readonly round?: (n: number, key: string) => Buffer;
  readonly everyMs?: number;
  /** Reads what it is told. */
  readonly reads: boolean;
  /** Comes back when it was thrown out. */
  readonly returns: boolean;
}

const HELLO = Buffer.concat([PREFACE, SETTINGS]);
const id = (n: number): number => 2 * n + 1;
const head = (n: number, fields: Fields, flags: number = END_HEADERS): Buffer =>
  frame(FRAME.HEADERS, flags, id(n), block(fields));
const call = (n: number, key: string, ...more: Fields): Buffer => head(n, grpcHead(['x-api-key', key], ...more));
const data = (n: number, bytes: number, flags = 0): Buffer => frame(FRAME.DATA, flags, id(n), Buffer.alloc(bytes));
const reset = (n: number): Buffer => frame(FRAME.RST_STREAM, 0, id(n), uint32(8));
const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

/** So many in one write. */
const BATCH = 50;
const batch =
  (make: (n: number, key: string) => Buffer) =>
  (n: number, key: string): Buffer =>
    times(BATCH, (i) => make(n * BATCH + i, key));

/** One attacker: a connection at a time, as fast as it is taken. */
const flood = { port: 'grpc', connections: 1, opening: HELLO, reads: true, returns: true } as const;
const PING = frame(FRAME.PING, 0, 0, Buffer.alloc(8));

/** One large field that enters the table, and then nothing but references to it (RFC 7541 section 6.1). */
function bomb(n: number): Buffer {
  const start = Buffer.concat([
    block(grpcHead()),
    Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4_000, 'b'),
  ]);
  return frame(FRAME.HEADERS, END_HEADERS, id(n), Buffer.concat([start, Buffer.alloc(8_000, 0xbe)]));
}

function http1(fields: readonly string[], body = ''): Buffer {
  return Buffer.from(
    ['POST /v1/traces HTTP/1.1', 'Host: gateway', 'Content-Type: application/x-protobuf', ...fields, '', body].join(
      '\r\n',
    ),
  );
}

const slow = { connections: 500, reads: true, returns: false, everyMs: 1_000 } as const;
const ONE_BYTE = (): Buffer => Buffer.from('a');

export function attacks(key: string): Readonly<Record<string, Attack>> {
  return {
    'rapid reset': { ...flood, round: batch((n, key) => Buffer.concat([call(n, key), reset(n)])) },
    'MadeYouReset: wrong length': {
      ...flood,
      round: batch((n, key) => Buffer.concat([call(n, key, ['content-length', '1']), data(n, 5)])),
    },
    'MadeYouReset: window update of 0': {
      ...flood,
      round: batch((n, key) => Buffer.concat([call(n, key), frame(FRAME.WINDOW_UPDATE, 0, id(n), uint32(0))])),
    },
    'CONTINUATION without end': {
      ...flood,
      opening: Buffer.concat([HELLO, head(0, grpcHead(), 0)]),
      round: () => frame(FRAME.CONTINUATION, 0, 1, block([['a', 'b'.repeat(1_000)]])),
    },
    'PING, answers unread': { ...flood, reads: false, round: batch(() => PING) },
    'SETTINGS, answers unread': { ...flood, reads: false, round: batch(() => SETTINGS) },
    'empty DATA': { ...flood, opening: Buffer.concat([HELLO, call(0, key)]), round: batch(() => data(0, 0)) },
    'HPACK bomb, settings not acknowledged': { ...flood, round: bomb },
    'heads of 15 KB, stalled': { ...flood, round: (n, key) => call(n, key, ['x', 'y'.repeat(15_000)]) },
    'answers for which there is no window': {
      ...flood,
      opening: Buffer.concat([
        PREFACE,
        frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])),
        times(100, (n) => Buffer.concat([call(n, key), data(n, 200, END_STREAM)])),
      ]),
      connections: 50,
      reads: false,
      returns: false,
    },
    'zombies behind a GOAWAY': {
      ...flood,
      opening: Buffer.concat([HELLO, data(9, 1)]),
      connections: 300,
      reads: false,
      returns: false,
    },
    'slow heads': {
      ...slow,
      port: 'http',
      opening: Buffer.from('POST /v1/traces HTTP/1.1\r\nHost: a\r\nX-A: '),
      round: ONE_BYTE,
    },
    'slow bodies': {
      ...slow,
      port: 'http',
      opening: http1([`X-API-Key: ${key}`, 'Content-Length: 1000000']),
      round: ONE_BYTE,
    },
    'streams that say nothing': {
      ...slow,
      port: 'grpc',
      connections: 10,
      opening: Buffer.concat([HELLO, times(200, (n) => call(n, key))]),
    },
    'chunks without end': {
      ...flood,
      port: 'http',
      opening: http1([`X-API-Key: ${key}`, 'Transfer-Encoding: chunked']),
      round: () => Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(16_384), Buffer.from('\r\n')]),
    },
    'random keys': {
      ...flood,
      port: 'http',
      opening: Buffer.alloc(0),
      round: () => times(10, () => http1([`X-API-Key: ${createKeyText('ingestion')}`, 'Content-Length: 0'])),
    },
    'random keys, mistyped': {
      ...flood,
      port: 'http',
      opening: Buffer.alloc(0),
      round: () => times(10, (i) => http1([`X-API-Key: iapikeyok-${'x'.repeat(37)}${i}`, 'Content-Length: 0'])),
    },
    '1,000 idle connections': { ...flood, port: 'http', opening: Buffer.alloc(0), connections: 1_000, returns: false },
  };
}
