import { ByteQueue } from '../byte-queue.ts';
import type { Output } from '../output.ts';
import { writeData, writeHeaders } from './frame-writer.ts';
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, LARGEST_WINDOW } from './frames.ts';
import { TABLE_SIZE_ZERO } from './hpack/encoder.ts';

/** Flow control as its sender has it (RFC 9113 section 5.2): bodies on their way to the peer. */

/** What all streams of a connection share. */
export class Sending {
  readonly out: Output;
  /** How many bytes of DATA the peer takes now, of all streams together. */
  window = DEFAULT_WINDOW;
  /** That of a new stream. */
  streamWindow = DEFAULT_WINDOW;
  /** The largest frame that the peer takes. */
  maxFrameSize = DEFAULT_MAX_FRAME_SIZE;
  /** So many updates of windows may be expected for what was sent: one each for the stream and for the connection. */
  updatesDue = 0;
  /** So many pings: who measures the bandwidth sends one with each piece of an answer (grpc-go, grpc-java). */
  pingsDue = 0;
  /** Streams with bytes that their own windows let pass, in the order in which they get their turn. */
  readonly #waiting = new Set<StreamSending>();
  #isFirstBlock = true;

  constructor(out: Output) {
    this.out = out;
  }

  headers(streamId: number, parts: readonly Buffer[], ends: boolean): void {
    const block = this.#isFirstBlock ? [TABLE_SIZE_ZERO, ...parts] : parts;
    this.#isFirstBlock = false;
    writeHeaders(this.out, streamId, block, ends, this.maxFrameSize);
  }

  /** What waits is sent as far as windows and output allow, frame by frame in turns: no stream can hold up the others. */
  pump(): void {
    for (const stream of this.#waiting) {
      if (this.window <= 0 || this.out.isCongested) return;
      this.#waiting.delete(stream);
      if (stream.takeTurn()) this.#waiting.add(stream); // at the end, where this loop gets to it again
    }
  }

  wait(stream: StreamSending): void {
    this.#waiting.add(stream);
  }

  forget(stream: StreamSending): void {
    this.#waiting.delete(stream);
  }
}

/** Who hears what becomes of the bytes of a stream. */
export interface SendingOwner {
  /** So many bytes of the body have left. */
  sent(bytes: number): void;
  /** The end has left. */
  sentAll(): void;
}

/** What is sent on one stream. */
export class StreamSending {
  readonly #all: Sending;
  readonly #streamId: number;
  readonly #owner: SendingOwner;
  #window: number;
  #queue: ByteQueue | undefined;
  /** What comes behind the queue: nothing yet, the end, or trailers. */
  #ending: 'none' | 'end' | readonly Buffer[] = 'none';
  /** Bytes that have left since somebody asked. */
  #sentLately = 0;

  constructor(all: Sending, streamId: number, owner: SendingOwner) {
    this.#all = all;
    this.#streamId = streamId;
    this.#owner = owner;
    this.#window = all.streamWindow;
  }

  get isWaiting(): boolean {
    return this.#queue !== undefined;
  }

  /** How many bytes have left since this was asked last. */
  takeSentLately(): number {
    const bytes = this.#sentLately;
    this.#sentLately = 0;
    return bytes;
  }

  /** Heads do not wait: they count for no window, and there is one for each request at most. */
  head(parts: readonly Buffer[], ends: boolean): void {
    this.#all.headers(this.#streamId, parts, ends);
    if (ends) this.#owner.sentAll();
  }

  /** The piece may be valid only during this call. */
  data(piece: Buffer, ends: boolean): void {
    let sent = 0;
    if (this.#queue === undefined) {
      sent = this.#send(piece, ends);
      if (sent === piece.length) return;
    }
    this.#queue ??= new ByteQueue();
    this.#queue.push(piece.subarray(sent));
    if (ends) this.#ending = 'end';
    this.#await();
  }

  trailers(parts: readonly Buffer[]): void {
    if (this.#queue === undefined) this.head(parts, true);
    else this.#ending = parts;
  }

  /** False if the peer gave more than a window may be (RFC 9113 section 6.9.1). */
  widen(bytes: number): boolean {
    this.#window += bytes;
    if (this.#queue !== undefined) this.#await();
    return this.#window <= LARGEST_WINDOW;
  }

  /** One frame of what waits; whether another one could follow. */
  takeTurn(): boolean {
    const queue = this.#queue;
    if (queue === undefined) return false;
    const piece = queue.peek(DEFAULT_MAX_FRAME_SIZE);
    const isLast = piece.length === queue.length;
    const sent = this.#send(piece, isLast && this.#ending === 'end');
    queue.drop(sent);
    if (queue.length > 0) return this.#window > 0;
    this.#queue = undefined;
    if (typeof this.#ending !== 'string') this.head(this.#ending, true);
    return false;
  }

  /** Nothing more is sent. Gives back what waits. */
  abandon(): ByteQueue | undefined {
    const queue = this.#queue;
    this.#queue = undefined;
    if (queue !== undefined) this.#all.forget(this);
    return queue;
  }

  #await(): void {
    if (this.#window > 0) this.#all.wait(this);
  }

  #send(piece: Buffer, ends: boolean): number {
    const all = this.#all;
    const { length } = piece;
    let sent = 0;
    if (length === 0 && ends) writeData(all.out, this.#streamId, piece, true); // a mere end needs no window
    while (sent < length && !all.out.isCongested) {
      const size = Math.min(length - sent, this.#window, all.window, DEFAULT_MAX_FRAME_SIZE);
      if (size <= 0) break;
      const isLast = ends && sent + size === length;
      writeData(all.out, this.#streamId, size === length ? piece : piece.subarray(sent, sent + size), isLast);
      this.#window -= size;
      all.window -= size;
      all.updatesDue += 2;
      all.pingsDue += 1;
      sent += size;
    }
    this.#sentLately += sent;
    if (sent > 0) this.#owner.sent(sent);
    if (ends && sent === length) this.#owner.sentAll();
    return sent;
  }
}
