import type * as net from 'node:net';
import * as tls from 'node:tls';
import { createEntrance } from '../entrance.ts';
import type { Entrance, EntranceOptions } from '../entrance.ts';
import { FAREWELL_MS } from './server-connection.ts';
import { openTransport } from './transport.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** One data port: takes connections, and finds out which protocol each of them speaks. */
export interface Door extends Entrance {
  /** Takes no more connections; those that have said nothing yet may do so for a moment. */
  shut(): void;
  check(nowMs: number): void;
  /** Ends those that have said nothing yet. */
  destroy(): void;
}

export interface DoorOptions extends Omit<EntranceOptions, 'enter'> {
  /** Serves a connection, which begins with these bytes. */
  readonly serve: (transport: Transport, protocol: 'http1' | 'http2', first: Buffer) => void;
}

export function createDoor({ serve, ...options }: DoorOptions): Door {
  const { limits } = options;
  /** Those that have not shown what they speak. */
  const newcomers = new Set<Newcomer>();
  /** Those that have said nothing by then are ended. */
  let farewellMs = Infinity;

  function welcome(socket: net.Socket): void {
    // Whoever has agreed on HTTP/2 (RFC 7301) is not answered in HTTP/1.1, whatever comes.
    const agreed = socket instanceof tls.TLSSocket && socket.alpnProtocol === 'h2' ? 'http2' : undefined;
    const newcomer = new Newcomer(agreed, (transport, protocol, first) => {
      newcomers.delete(newcomer);
      if (protocol !== undefined) serve(transport, protocol, first);
    });
    newcomers.add(newcomer);
    newcomer.enter(socket, performance.now() + limits.headersTimeoutMs);
  }

  const entrance = createEntrance({ ...options, enter: welcome });

  return {
    ...entrance,
    shut() {
      entrance.shut();
      farewellMs = performance.now() + FAREWELL_MS;
    },
    check(nowMs) {
      for (const newcomer of newcomers) {
        if (nowMs < farewellMs) newcomer.check(nowMs);
        else newcomer.leave();
      }
    },
    destroy() {
      for (const newcomer of newcomers) newcomer.leave();
    },
  };
}

const PREFACE_START = Buffer.from('PRI');

/** A connection until its first bytes tell its protocol: "PRI" begins HTTP/2, and no method of HTTP/1.1. */
class Newcomer implements TransportEvents {
  #transport: Transport | undefined;
  #deadlineMs = 0;
  #first: Buffer = Buffer.alloc(0);
  readonly #agreed: 'http2' | undefined;
  readonly #done: (transport: Transport, protocol: 'http1' | 'http2' | undefined, first: Buffer) => void;

  constructor(
    agreed: 'http2' | undefined,
    done: (transport: Transport, protocol: 'http1' | 'http2' | undefined, first: Buffer) => void,
  ) {
    this.#agreed = agreed;
    this.#done = done;
  }

  enter(socket: net.Socket, deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    this.#transport = openTransport(socket, this);
  }

  onBytes(chunk: Buffer): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    if (this.#agreed !== undefined) return this.#done(transport, this.#agreed, chunk);
    const first = this.#first.length === 0 ? chunk : Buffer.concat([this.#first, chunk]);
    const start = first.subarray(0, PREFACE_START.length);
    if (start.length < PREFACE_START.length && PREFACE_START.subarray(0, start.length).equals(start)) {
      this.#first = Buffer.from(first); // at most two bytes
      return;
    }
    this.#done(transport, start.equals(PREFACE_START) ? 'http2' : 'http1', first);
  }

  onDrained(): void {}

  onEnded(): void {
    this.leave();
  }

  onClosed(): void {
    if (this.#transport) this.#done(this.#transport, undefined, this.#first);
  }

  /** Too slow: closed without a word, for on any status the sender would delete its data. */
  check(nowMs: number): void {
    if (nowMs >= this.#deadlineMs) this.leave();
  }

  leave(): void {
    this.#transport?.destroy();
  }
}
