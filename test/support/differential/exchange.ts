import { setTimeout as delay } from 'node:timers/promises';
import * as net from 'node:net';

/** Bytes, and how many answers the sender waits for before it sends them. */
export interface Part {
  readonly bytes: Buffer;
  readonly awaits: number;
}

/** A raw connection that writes parts and takes down all that comes. */
export class RawExchange {
  readonly chunks: Buffer[] = [];
  isClosed = false;
  readonly #socket: net.Socket;
  #lastMs = performance.now();

  constructor(port: number) {
    this.#socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.#lastMs = performance.now();
    });
    this.#socket.on('close', () => (this.isClosed = true));
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  async send(bytes: Buffer): Promise<void> {
    if (this.isClosed || !this.#socket.writable) return;
    this.#socket.write(bytes);
    this.#lastMs = performance.now();
    await new Promise(setImmediate);
  }

  /** Until this holds, or the connection is closed, or nothing has come for so long. */
  async settle(isDone: () => boolean, quietMs: number): Promise<void> {
    while (!this.isClosed && !isDone() && performance.now() - this.#lastMs < quietMs) await delay(5);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
