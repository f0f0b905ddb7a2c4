import { setTimeout as delay } from 'node:timers/promises';
import * as net from 'node:net';

/** Bytes, and how many answers the sender waits for before it sends them. */
export interface Part {
  readonly bytes: Buffer;
  readonly awaits: number;
}

const POLL_MS = 5;
/** All servers are in this process: when it stands still, none of them has had its turn. */
const MAX_COUNTED_MS = 20;

/** A raw connection that writes parts and takes down all that comes. */
export class RawExchange {
  readonly chunks: Buffer[] = [];
  isClosed = false;
  readonly #socket: net.Socket;

  constructor(port: number) {
    this.#socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    this.#socket.on('close', () => (this.isClosed = true));
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  async send(bytes: Buffer): Promise<void> {
    if (this.isClosed || !this.#socket.writable) return;
    this.#socket.write(bytes);
    await new Promise(setImmediate);
  }

  /** Until this holds, or the connection is closed, or nothing has come for so long, times of standstill not counted. */
  async settle(isDone: () => boolean, quietMs: number): Promise<void> {
    let received = this.chunks.length;
    let waitedMs = 0;
    while (!this.isClosed && !isDone() && waitedMs < quietMs) {
      const before = performance.now();
      await delay(POLL_MS);
      waitedMs += Math.min(performance.now() - before, MAX_COUNTED_MS);
      if (this.chunks.length > received) waitedMs = 0;
      received = this.chunks.length;
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
