import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
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
import type { Fields } from '../support/h2-frames.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { until } from '../support/wait.ts';

/**
 * Floods of frames that are cheap to send and dear to answer, each over one connection, as fast as it goes and without
 * acknowledging our settings. The gateway must survive, must not begin more than so many requests, must hold no more than
 * so much memory, and must go on serving others meanwhile.
 */
/** More than the 10,000 oddities that nghttp2 lets pass before it ends a connection. */
const FRAMES = 16_000;
/** Twice what may be open at once, and what may be reset before a connection is ended. */
const MAX_REQUESTS = 700;
const MAX_GROWTH_MB = 120;
/** How long another client may wait while a flood goes on, on a machine that is busy with both ends of it. */
const MAX_WAIT_MS = 10_000;
/**
 * What any connection may cost, with the garbage that is not collected yet. On the library plane Node has unpacked three heads of
 * 0.4 MB, as strings of twice that size, before we may refuse them; the wire plane stops unpacking at its limit.
 */
const MB_OF_A_CONNECTION = process.env['KEYGATE_PLANE'] === 'library' ? 2.5 : 1;

interface Flood {
  readonly sentence: string;
  /** The frames sent in the nth round, from 0. */
  readonly round: (n: number, key: string) => readonly Buffer[];
  /** Whether the connection is closed for it for certain; one that costs us nothing may also be let be. */
  readonly isClosed: boolean;
  /** How many rounds there are, where each is dear to send. */
  readonly rounds?: number;
}

const id = (n: number): number => 2 * n + 1;
const head = (streamId: number, fields: Fields, flags: number = END_HEADERS): Buffer =>
  frame(FRAME.HEADERS, flags, streamId, block(fields));
const call = (n: number, key: string, ...more: Fields): Buffer => head(id(n), grpcHead(['x-api-key', key], ...more));

// oxfmt-ignore
const FLOODS: readonly Flood[] = [
  { sentence: 'rapid reset (CVE-2023-44487), with a key', isClosed: true, round: (n, key) => [call(n, key), frame(FRAME.RST_STREAM, 0, id(n), uint32(8))] },
  { sentence: 'rapid reset (CVE-2023-44487), without a key', isClosed: true, round: (n) => [head(id(n), grpcHead()), frame(FRAME.RST_STREAM, 0, id(n), uint32(8))] },
  { sentence: 'a head without end (CVE-2024-27983)', isClosed: true, round: (n, key) => [n === 0 ? head(1, grpcHead(['x-api-key', key]), 0) : frame(FRAME.CONTINUATION, 0, 1, block([['a', 'b']]))] },
  { sentence: 'a head without end and without content', isClosed: true, round: (n, key) => [n === 0 ? head(1, grpcHead(['x-api-key', key]), 0) : frame(FRAME.CONTINUATION, 0, 1)] },
  { sentence: 'pings (CVE-2019-9512)', isClosed: false, round: () => [frame(FRAME.PING, 0, 0, Buffer.alloc(8))] },
  { sentence: 'settings (CVE-2019-9515)', isClosed: false, round: () => [SETTINGS] },
  { sentence: 'empty data (CVE-2019-9518)', isClosed: true, round: (n, key) => [n === 0 ? call(0, key) : frame(FRAME.DATA, 0, 1)] },
  { sentence: 'priorities (CVE-2019-9513)', isClosed: true, round: (n) => [frame(FRAME.PRIORITY, 0, id(n), Buffer.from([0, 0, 0, 0, 1]))] },
  { sentence: 'window updates', isClosed: false, round: () => [frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1))] },
  { sentence: 'a window beyond its limit (CVE-2026-21714)', isClosed: true, round: () => [frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(0x7fff_ffff))] },
  { sentence: 'MadeYouReset (CVE-2025-8671) by a wrong length', isClosed: true, round: (n, key) => [call(n, key, ['content-length', '1']), frame(FRAME.DATA, 0, id(n), Buffer.alloc(5))] },
  { sentence: 'MadeYouReset by a window update of nothing', isClosed: true, round: (n, key) => [call(n, key), frame(FRAME.WINDOW_UPDATE, 0, id(n), uint32(0))] },
  { sentence: 'MadeYouReset by data after the end', isClosed: true, round: (n, key) => [head(id(n), grpcHead(['x-api-key', key]), END_HEADERS | END_STREAM), frame(FRAME.DATA, 0, id(n), Buffer.alloc(5))] },
  { sentence: 'MadeYouReset by a priority of the wrong length', isClosed: true, round: (n, key) => [call(n, key), frame(FRAME.PRIORITY, 0, id(n), Buffer.alloc(4))] },
  { sentence: 'MadeYouReset by a stream that depends on itself', isClosed: true, round: (n, key) => [call(n, key), frame(FRAME.PRIORITY, 0, id(n), Buffer.concat([uint32(id(n)), Buffer.from([1])]))] },
  { sentence: 'a second head that ends nothing', isClosed: true, round: (n, key) => [call(n, key), head(id(n), [['a', 'b']])] },
  { sentence: 'names that are none', isClosed: true, round: (n) => [head(id(n), grpcHead(['Bad Name', 'x']))] },
  { sentence: 'calls that send nothing, with a key', isClosed: true, round: (n, key) => [call(n, key)] },
  { sentence: 'calls that send nothing, without a key', isClosed: true, round: (n) => [head(id(n), grpcHead())] },
  { sentence: 'heads of nearly the limit', isClosed: true, round: (n, key) => [call(n, key, ['x', 'y'.repeat(15_000)])] },
  { sentence: 'too many fields', isClosed: false, rounds: 2_000, round: (n, key) => [call(n, key, ...Array.from({ length: 200 }, () => ['a', 'b'] as const))] },
  { sentence: 'answers that are not read', isClosed: true, round: (n) => [n === 0 ? frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])) : head(id(n), grpcHead())] },
  { sentence: 'frames of no known type', isClosed: true, round: () => [frame(0x77, 0, 0, Buffer.alloc(100))] },
];

test('a flood of HTTP/2 frames', { timeout: 60_000 }, async (t) => {
  const collector = await startCollector(t);
  const gateway = await startKeygateProcess(t, { upstream: { http: collector.httpUrl, grpc: collector.grpcUrl } });
  const port = portOf(gateway.addresses.grpc);
  await serves(gateway);
  const quietMb = gateway.peakMegabytes();

  for (const { sentence, round, isClosed, rounds = FRAMES } of FLOODS) {
    await t.test(`of ${sentence} is survived`, async (t) => {
      const requests = await gateway.metric('keygate_requests_total');
      const connection = await connectFrames(t, port, { acknowledge: false });
      let others = 0;
      for (let n = 0; n < rounds; n++) {
        if (!(await connection.send(...round(n, gateway.key)))) break;
        if (n % 50 === 0) await new Promise(setImmediate); // lets the gateway's answers in
        if (n % 5_000 === 100) {
          await serves(gateway);
          others += 1;
        }
      }
      if (isClosed) await connection.closed;
      await serves(gateway);
      const begun = (await gateway.metric('keygate_requests_total')) - requests - others - 1;
      assert.ok(begun <= MAX_REQUESTS, `${begun} requests were begun`);
      connection.socket.destroy();
    });
  }

  await t.test('leaves nothing behind', async () => {
    await until('no request is in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 0);
    await until('no call to the collector is open', () => collector.open() === 0);
    const growth = gateway.peakMegabytes() - quietMb;
    assert.ok(growth < MAX_GROWTH_MB, `it has held ${growth.toFixed(0)} MB more`);
  });
});

/**
 * CVE-2026-49975 and its kin: a few bytes of HPACK that stand for many, held by streams that never end. What is held for
 * the attacker is at most ten times what was sent, beside what any connection costs.
 */
test('a bomb of header compression holds at most ten times its size', { timeout: 30_000 }, async (t) => {
  const collector = await startCollector(t);
  const gateway = await startKeygateProcess(t, { upstream: { grpc: collector.grpcUrl } });
  const port = portOf(gateway.addresses.grpc);
  const CONNECTIONS = 20;
  const STREAMS = 100;
  /** Opens that many streams on that many connections; resolves with the bytes that were taken. */
  const send = async (fieldsOf: (n: number) => Buffer): Promise<number> => {
    let sentBytes = 0;
    const connections = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => connectFrames(t, port, { acknowledge: false })),
    );
    for (const connection of connections) {
      for (let n = 0; n < STREAMS; n++) {
        const bytes = frame(FRAME.HEADERS, END_HEADERS, id(n), fieldsOf(n));
        sentBytes += bytes.length;
        if (!(await connection.send(bytes))) break;
      }
    }
    for (const { send: write, of, socket } of connections) {
      await write(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
      await until('all of it was read', () => of(FRAME.PING).length > 0 || socket.closed, 20_000);
    }
    await serves(gateway, 503);
    return sentBytes;
  };

  // As many ordinary calls come first: compiled code and a heap of working size are nothing that a bomb holds.
  await send(() => block(grpcHead()));
  const quietMb = gateway.peakMegabytes();
  // A value of 4,000 bytes enters the table once (RFC 7541 section 6.2.1); then one byte says it again (section 6.1).
  const enter = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 0x79)]);
  const again = Buffer.alloc(90, 0xbe);
  const sentBytes = await send((n) =>
    Buffer.concat([block(grpcHead(['x-api-key', gateway.key])), ...(n === 0 ? [enter] : []), again]),
  );
  const heldMb = gateway.peakMegabytes() - quietMb;
  assert.equal(collector.begun(), 0);
  assert.equal(await gateway.metric('keygate_upstream_seconds_count', 'protocol="grpc"'), 0, 'some were sent on');
  const allowedMb = (10 * sentBytes) / 2 ** 20 + CONNECTIONS * MB_OF_A_CONNECTION;
  assert.ok(heldMb < allowedMb, `${heldMb.toFixed(1)} MB are held for ${(sentBytes / 2 ** 20).toFixed(1)} MB sent`);
});

/** Another client gets its answer, and soon. */
async function serves(gateway: KeygateProcess, status = 200): Promise<void> {
  const startedAt = performance.now();
  const answer = await callHttp(`http://${gateway.addresses.http}`, { headers: { 'x-api-key': gateway.key } });
  assert.equal(answer.status, status);
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < MAX_WAIT_MS, `another client waited ${waitedMs.toFixed(0)} ms`);
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
