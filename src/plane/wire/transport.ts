import * as net from 'node:net';
import * as tls from 'node:tls';
import { Output } from './output.ts';

export { hold } from './held.ts';
export type { Held } from './held.ts';

/** How long a connection may take, after `end`, to take what was queued for it and to end its own half. */
export const MAX_ENDING_MS = 5_000;

/** What a transport tells. Whoever serves it may change during its life. */
export interface TransportEvents {
  /** Valid until it returns only: whoever keeps bytes calls `hold`. */
  onBytes(chunk: Buffer): void;
  /** `out` was congested and is not any more. */
  onDrained(): void;
  /**
   * The other side has ended its half (FIN): nothing more will come, but what is written may still be read. Whether it has left
   * is for the protocol to say; until `end` or `destroy` is called, the connection stays.
   */
  onEnded(): void;
  /** Exactly once, last, and never from within `destroy`. Without an error when either side closed it in order. */
  onClosed(error: Error | undefined): void;
}

export interface ConnectEvents extends TransportEvents {
  /** Before all others. What was written earlier leaves now. */
  onConnected(): void;
}

/** A connection as bytes: in through its events, out through `out`. Nothing here throws. */
export interface Transport {
  events: TransportEvents;
  readonly out: Output;
  readonly remoteAddress: string;
  /** What TLS agreed on; undefined before the handshake, in plaintext, and when the sides agreed on nothing. */
  readonly alpnProtocol: string | undefined;
  /** Also while it is being closed: nothing more is told but `onClosed`. */
  readonly isClosed: boolean;
  /** Stops reading: also the end of the other side is not seen until `resume`. */
  pause(): void;
  resume(): void;
  /** Writes what is queued, then FIN. From now on nothing is told but `onClosed`, which comes within MAX_ENDING_MS. */
  end(): void;
  /** Ends it at once; what is queued is lost. */
  destroy(): void;
  /**
   * The same, and in plaintext the other side hears of it at once (RST), although it may not have read what was sent earlier:
   * for what it is not to work on any more.
   */
  reset(): void;
  /**
   * Gives the connection away, to be handed to one of Node's servers at once: it reads `unread` first, from the next tick on.
   * This transport is over and tells nothing more.
   */
  toSocket(unread: Buffer): net.Socket;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: tls.ConnectionOptions | undefined;
  /** Until the connection is open, with TLS until its handshake is done. */
  readonly connectTimeoutMs: number;
}

const UNHEARD: TransportEvents = { onBytes() {}, onDrained() {}, onEnded() {}, onClosed() {} };

/** Serves a socket that is open (with TLS: whose handshake is done) and from which nothing was read. */
export function openTransport(socket: net.Socket | tls.TLSSocket, events: TransportEvents = UNHEARD): Transport {
  const transport = new SocketTransport(socket, events);
  transport.resume();
  return transport;
}

export function connectTransport(options: ConnectOptions, events: ConnectEvents): Transport {
  const { host, port } = options;
  const socket = options.tls
    ? tls.connect({ host, port, ...options.tls })
    : net.connect({ host, port, allowHalfOpen: true });
  const transport = new SocketTransport(socket, events);
  const giveUp = setTimeout(
    () => socket.destroy(new Error(`no connection to ${host}:${port} within ${options.connectTimeoutMs} ms`)),
    options.connectTimeoutMs,
  );
  socket.once(options.tls ? 'secureConnect' : 'connect', () => {
    clearTimeout(giveUp);
    if (transport.isClosed) return;
    events.onConnected();
    transport.resume();
  });
  socket.once('close', () => clearTimeout(giveUp));
  return transport;
}

class SocketTransport implements Transport {
  events: TransportEvents;
  readonly out: Output;
  readonly remoteAddress: string;
  readonly #socket: net.Socket;
  #isClosed = false;
  #error: Error | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(socket: net.Socket, events: TransportEvents) {
    this.#socket = socket;
    this.events = events;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.out = new Output(this);
    // Whether a FIN means that the other side has left differs between HTTP/1.1 and HTTP/2; Node must not answer it for us.
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.pause();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get alpnProtocol(): string | undefined {
    return (this.#socket instanceof tls.TLSSocket && this.#socket.alpnProtocol) || undefined;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  write(parts: readonly Buffer[]): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    const last = parts.length - 1;
    if (last > 0) socket.cork();
    for (let i = 0; i < last; i++) socket.write(parts[i] as Buffer);
    socket.write(parts[last] as Buffer, this.#onWritten);
    if (last > 0) socket.uncork();
  }

  onDrained(): void {
    if (!this.#isClosed) this.events.onDrained();
  }

  pause(): void {
    if (!this.#isClosed) this.#socket.pause();
  }

  resume(): void {
    if (!this.#isClosed) this.#socket.resume();
  }

  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.out.flush();
    this.#socket.end();
    // Read on, unheard: a connection closed over unread bytes is reset, and takes our last answer with it.
    this.#socket.resume();
    this.#ending = setTimeout(() => this.#socket.destroy(), MAX_ENDING_MS).unref();
  }

  destroy(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  reset(): void {
    const socket = this.#socket;
    if (socket.connecting || socket instanceof tls.TLSSocket) return this.destroy();
    this.#isClosed = true;
    socket.resetAndDestroy();
  }

  toSocket(unread: Buffer): net.Socket {
    const socket = this.#socket;
    this.out.flush();
    this.out.close();
    this.#isClosed = true;
    this.events = UNHEARD;
    socket.pause();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('error', this.#onError);
    socket.removeListener('close', this.#onClose);
    if (unread.length > 0) socket.unshift(Buffer.from(unread));
    // Reading goes on in the next tick: a server would not wake a socket that was paused on purpose.
    socket.resume();
    return socket;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#isClosed) this.events.onBytes(chunk);
  };

  readonly #onEnd = (): void => {
    if (!this.#isClosed) this.events.onEnded();
  };

  readonly #onError = (error: Error): void => {
    this.#error ??= error;
  };

  readonly #onWritten = (): void => {
    this.out.checkDrained();
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    clearTimeout(this.#ending);
    this.out.close();
    this.events.onClosed(this.#error);
  };
}
