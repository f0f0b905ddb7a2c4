import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import fc from 'fast-check';
import { ByteQueue } from '../../../../src/plane/wire/byte-queue.ts';
import { openTransport } from '../../../../src/plane/wire/transport.ts';
import type { Transport } from '../../../../src/plane/wire/transport.ts';
import { createCertificate } from '../../../support/tls.ts';
import type { TestCertificate } from '../../../support/tls.ts';
import { Heard, acceptedPair, hideUserBuffers, listen, noise } from '../../../support/transports.ts';
import { until } from '../../../support/wait.ts';

// All connections read into the same memory, and write from memory that goes from one to the next. Here many of them do so at
// once, and each must get and keep exactly its own bytes.

const CONNECTIONS = 6;

/** Holds all that it is told, in pieces of these sizes, and stops the reading now and then. */
class Holder extends Heard {
  readonly held = new ByteQueue();
  near: Transport | undefined;
  #isPaused = false;
  #chunks = 0;
  readonly #cuts: readonly number[];
  #next = 0;

  constructor(cuts: readonly number[]) {
    super();
    this.#cuts = cuts;
  }

  override onBytes(chunk: Buffer): void {
    for (let from = 0; from < chunk.length;) {
      const size = this.#cuts[this.#next++ % this.#cuts.length] as number;
      this.held.push(chunk.subarray(from, from + size));
      from += size;
    }
    this.receivedBytes += chunk.length;
    assert.equal(this.#isPaused, false);
    assert.equal(this.ended, 0);
    if (++this.#chunks % 3 > 0) return;
    this.#isPaused = true;
    this.near?.pause();
    setImmediate(() => {
      this.#isPaused = false;
      this.near?.resume();
    });
  }
}

const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 100_000 })), {
  minLength: 1,
  maxLength: 20,
});

for (const kind of ['plaintext', 'TLS', 'a Node without reads into shared memory'] as const) {
  describe(`Connections that share memory, over ${kind}`, () => {
    it('keep what they hold as it was told, whatever is read later, and are told nothing while they are paused', async (t) => {
      const open = await opener(t, kind);
      await fc.assert(
        fc.asyncProperty(fc.array(cuts, { minLength: CONNECTIONS, maxLength: CONNECTIONS }), async (cutsOf) => {
          const sent = cutsOf.map((_, i) => noise(250_000, i + 1));
          const holders = cutsOf.map((cuts) => new Holder(cuts));
          const pairs = await Promise.all(holders.map((holder) => open(holder)));
          for (const [i, { near }] of pairs.entries()) (holders[i] as Holder).near = near;
          for (const [i, { far }] of pairs.entries()) writeInPieces(far, sent[i] as Buffer, cutsOf[i] as number[]);
          await until('all ended', () => holders.every((holder) => holder.ended === 1), 20_000);
          for (const [i, holder] of holders.entries()) {
            assert.equal(holder.receivedBytes, 250_000);
            let at = 0;
            holder.held.drain((piece) => {
              assert.ok(
                piece.equals((sent[i] as Buffer).subarray(at, at + piece.length)),
                `connection ${i}, byte ${at}`,
              );
              at += piece.length;
            });
            assert.equal(at, 250_000);
          }
          for (const { near } of pairs) near.destroy();
          await until('all are closed', () => holders.every((holder) => holder.closed === 1));
        }),
        { numRuns: 3 },
      );
    });

    it('send each its own bytes in order, though their readers are slow', async (t) => {
      const open = await opener(t, kind);
      const pairs = await Promise.all([1, 2, 3].map(() => open(new Heard())));
      const sent = pairs.map(() => createHash('sha256'));
      const write = (n: number, turn: number): void => {
        const piece = noise((turn * 7919) % 50_000, turn * 7 + n);
        sent[n]?.update(piece);
        writePart((pairs[n] as Pair).near, piece, n + turn);
        piece.fill(0); // whoever appends may use its bytes again at once
      };
      // Until the kernel takes no more of any, and for as long again with readers that read a little at a time.
      let turn = 0;
      for (; pairs.some(({ near }) => !near.out.isCongested); turn++) {
        for (const [n, { near }] of pairs.entries()) if (!near.out.isCongested) write(n, turn);
        if (turn % 8 === 0) await new Promise(setImmediate);
      }
      const received = pairs.map(({ far }) => readSlowly(far));
      for (const end = turn * 2; turn < end; turn++) {
        for (const [n, { near }] of pairs.entries()) if (!near.out.isCongested) write(n, turn);
        await new Promise(setImmediate);
      }
      for (const { near } of pairs) near.end();
      for (const [n, hash] of received.entries()) assert.equal(await hash, sent[n]?.digest('hex'), `connection ${n}`);
    });
  });
}

describe('A connection that has nothing to send', () => {
  it('holds no memory to compose in', async (t) => {
    const { near, far } = await acceptedPair(t);
    near.out.append(Buffer.from('hello'));
    assert.ok(near.out.bytes.length > 0);
    await once(far, 'data');
    assert.equal(near.out.bytes.length, 0);
  });
});

interface Pair {
  readonly near: Transport;
  readonly far: net.Socket;
}

type Open = (heard: Heard) => Promise<Pair>;

/** Opens connections to one server of this kind. */
async function opener(t: TestContext, kind: string): Promise<Open> {
  const certificate: TestCertificate | undefined = kind === 'TLS' ? await createCertificate(t) : undefined;
  const server = certificate
    ? tls.createServer({ cert: certificate.cert, key: certificate.key })
    : net.createServer({ allowHalfOpen: true });
  const port = await listen(t, server);
  const waiting: ((socket: net.Socket) => void)[] = [];
  server.on(certificate ? 'secureConnection' : 'connection', (socket: net.Socket) => waiting.shift()?.(socket));
  let last: Promise<unknown> = Promise.resolve();
  return (heard) => {
    // One after the other: the first that is accepted is the first that connected.
    const opened = last.then(async () => {
      const accepted = new Promise<Transport>((resolve) => {
        waiting.push((socket) => {
          if (kind.startsWith('a Node without')) hideUserBuffers(socket);
          resolve(openTransport(socket, heard));
        });
      });
      const far = certificate
        ? tls.connect({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
        : net.connect({ port, host: '127.0.0.1' });
      far.on('error', () => {});
      const near = await accepted;
      t.after(() => (far.destroy(), near.destroy()));
      return { near, far };
    });
    last = opened;
    return opened;
  };
}

function writeInPieces(socket: net.Socket, bytes: Buffer, sizes: readonly number[]): void {
  let from = 0;
  let next = 0;
  const write = (): void => {
    if (from >= bytes.length) return void socket.end();
    const size = sizes[next++ % sizes.length] as number;
    socket.write(bytes.subarray(from, from + size));
    from += size;
    if (next % 10 === 0) setImmediate(write);
    else write();
  };
  write();
}

/** Into reserved room or appended, by turns. */
function writePart({ out }: Transport, bytes: Buffer, turn: number): void {
  if (turn % 3 === 0 && bytes.length <= 16_384) {
    const offset = out.reserve(bytes.length);
    bytes.copy(out.bytes, offset);
  } else {
    out.append(bytes);
  }
}

/** The hash of all that the socket receives until its end. */
async function readSlowly(socket: net.Socket): Promise<string> {
  const hash = createHash('sha256');
  let chunks = 0;
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    if (++chunks % 8 !== 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  await once(socket, 'end');
  return hash.digest('hex');
}
