import * as net from 'node:net';
import * as tls from 'node:tls';
import { Output } from './output.ts';
import type { Sink } from './output.ts';
import { readAsStream, readShared } from './shared-reads.ts';

/** How long a connection may take, after `end`, to take what was queued for it and to end its own half. */
export const MAX_ENDING_MS = 5_000;
/** What is read and thrown away in that time, at most. */
const MAX_DISCARDED_BYTES = 1 << 20;

/** What a transport tells. Whoever serves it may change during its life. */
export interface TransportEvents {
  /** Valid until it returns only: whoever keeps bytes copies them. */
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
   * Gives the connection away, to be handed to one of Node's servers at once: it reads `unread` first, from the next tick on. Not
   * after `onEnded`: Node puts nothing back that comes after the end.
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

/** Serves a socket that is open (with TLS: whose handshake is done) and whose bytes nobody has begun to read. */
export function openTransport(socket: net.Socket | tls.TLSSocket, events: TransportEvents = UNHEARD): Transport {
  const transport = new SocketTransport(socket, events);
  transport.begin();
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
    if (!transport.isClosed) events.onConnected();
    transport.begin();
  });
  socket.once('close', () => clearTimeout(giveUp));
  return transport;
}

class SocketTransport implements Transport, Sink {
  events: TransportEvents;
  readonly out: Output;
  readonly #socket: net.Socket;
  /** Writes go round Node's own queue; under TLS it costs little beside the rest, and Node relies on it. */
  readonly #isPlain: boolean;
  #remoteAddress: string | undefined;
  #isOpen = false;
  #isPaused = false;
  #isClosed = false;
  #isGivenAway = false;
  /** What came though it was paused: TLS tells all that it has decrypted (of one read, 64 KiB). */
  #late: Buffer[] = [];
  #isEnded = false;
  #discardedBytes = 0;
  #error: Error | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(socket: net.Socket, events: TransportEvents) {
    this.#socket = socket;
    this.#isPlain = !(socket instanceof tls.TLSSocket);
    this.#remoteAddress = socket.remoteAddress;
    this.events = events;
    this.out = new Output(this);
    // Whether a FIN means that the other side has left differs between HTTP/1.1 and HTTP/2; Node must not answer it for us.
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Starts reading, unless it was paused before. */
  begin(): void {
    if (this.#socket.destroyed) return;
    this.#isOpen = true;
    if (!readShared(this.#socket, this.#onData)) {
      this.#socket.pause();
      this.#socket.on('data', this.#onData);
    }
    if (this.#isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get remoteAddress(): string {
    return (this.#remoteAddress ??= this.#socket.remoteAddress) ?? '';
  }

  get alpnProtocol(): string | undefined {
    return (this.#socket instanceof tls.TLSSocket && this.#socket.alpnProtocol) || undefined;
  }

  write(parts: Buffer[]): void {
    const socket = this.#socket;
    if (!this.#isPlain) {
      const last = parts.pop();
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.write(last ?? NOTHING, this.#onWritten);
      socket.uncork();
    } else if (parts.length === 1) {
      // What Node's own queue would call: there is one already, and one write at a time.
      // oxlint-disable-next-line no-underscore-dangle -- the name is Node's
      socket._write(parts[0], BUFFER_ENCODING, this.#onWritten);
    } else {
      // oxlint-disable-next-line no-underscore-dangle -- the name is Node's
      socket._writev?.(toChunks(parts), this.#onWritten);
    }
  }

  onDrained(): void {
    if (!this.#isClosed) this.events.onDrained();
  }

  onEmpty(): void {
    if (this.#isClosed && !this.#isGivenAway) this.#socket.end();
  }

  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    if (this.#isOpen) this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    if (!this.#isOpen) return;
    this.#socket.resume();
    if (this.#late.length > 0) process.nextTick(this.#tellLate);
  }

  end(): void {
    if (this.#isClosed) return;
    this.resume(); // and read on, unheard: a connection closed over unread bytes is reset, and takes our last answer with it
    this.#isClosed = true;
    this.#ending = setTimeout(() => this.#socket.destroy(), MAX_ENDING_MS).unref();
    this.out.flush();
    if (this.out.queuedBytes === 0) this.onEmpty();
  }

  destroy(): void {
    this.#isClosed = true;
    this.out.close();
    this.#socket.destroy();
  }

  reset(): void {
    const socket = this.#socket;
    // Node refuses to reset what is just being ended, and would then never close it.
    const isEnding = socket.writableEnded && !socket.writableFinished;
    if (socket.connecting || isEnding || socket instanceof tls.TLSSocket) return this.destroy();
    this.#isClosed = true;
    socket.resetAndDestroy();
  }

  toSocket(unread: Buffer): net.Socket {
    const socket = this.#socket;
    this.#isClosed = true;
    this.#isGivenAway = true;
    this.events = UNHEARD;
    socket.pause();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('error', this.#onError);
    socket.removeListener('close', this.#onClose);
    this.out.flush();
    for (const part of this.out.takeUnsent()) socket.write(part);
    this.out.close();
    readAsStream(socket);
    const first = Buffer.concat([unread, ...this.#late]);
    if (first.length > 0) socket.unshift(first);
    // Reading goes on in the next tick: a server would not wake a socket that was paused on purpose.
    socket.resume();
    return socket;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isClosed) {
      this.#discardedBytes += chunk.length;
      if (this.#discardedBytes > MAX_DISCARDED_BYTES) this.#socket.destroy();
    } else if (this.#isPaused || this.#late.length > 0) {
      this.#late.push(Buffer.from(chunk));
    } else {
      this.events.onBytes(chunk);
    }
  };

  readonly #tellLate = (): void => {
    while (!this.#isPaused && !this.#isClosed) {
      const chunk = this.#late.shift();
      if (chunk === undefined) return;
      this.events.onBytes(chunk);
      if (this.#isEnded) this.#onEnd();
    }
  };

  readonly #onWritten = (error?: Error | null): void => {
    if (!error) return this.out.written();
    if (this.#socket.destroyed) return;
    this.#error ??= error;
    this.out.close();
    // An answer that came before the reset is read first: it says why the other side wants no more.
    setImmediate(() => this.#socket.destroy());
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    if (!this.#isClosed && this.#late.length === 0) this.events.onEnded();
  };

  readonly #onError = (error: Error): void => {
    this.#error ??= error;
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    clearTimeout(this.#ending);
    this.out.close();
    this.events.onClosed(this.#error);
  };
}

const NOTHING = Buffer.alloc(0);

/** What streams call the encoding of bytes that are bytes. */
const BUFFER_ENCODING = 'buffer' as BufferEncoding;

function toChunks(parts: readonly Buffer[]): { chunk: Buffer; encoding: BufferEncoding }[] {
  const chunks = parts.map((chunk) => ({ chunk, encoding: BUFFER_ENCODING }));
  // Spares Node looking at each of them.
  return Object.assign(chunks, { allBuffers: true });
}
