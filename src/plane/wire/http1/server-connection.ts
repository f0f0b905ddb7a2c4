import { MAX_DISCARDED_BYTES } from '../../discarding.ts';
import { Gathered } from '../gathered.ts';
import { TURN_MS } from '../server-connection.ts';
import type { ConnectionContext, ServerConnection } from '../server-connection.ts';
import type { Transport, TransportEvents } from '../transport.ts';
import { AnswerHeads, CLOSE_LINE } from './answer-lines.ts';
import { ChunkedBody } from './chunked.ts';
import { RequestHeads } from './request-heads.ts';
import type { KnownHead } from './request-heads.ts';
import { ServerRequest } from './server-request.ts';
import type { RequestConnection } from './server-request.ts';
import { Waiting } from './waiting.ts';

/** What connections of HTTP/1.1 share besides. */
export interface Http1Context extends ConnectionContext {
  /** Gives a connection, with what was read of it and not served, to the library plane. */
  readonly handOver: (transport: Transport, unread: Buffer) => void;
}

/** Of a body, what may wait here for the collector; then reading pauses, and the rest waits in the kernel's buffers, or at its sender. */
const WINDOW_BYTES = 64 * 1_024;
/** Of what was sent behind a request that is not answered yet. Then reading pauses. */
const MAX_UNREAD_BYTES = 64 * 1_024;

const NOTHING = Buffer.alloc(0);

/** A connection of a sender that speaks HTTP/1.1: its requests one after the other, each answered before the next is looked at. */
export class Http1ServerConnection implements ServerConnection, TransportEvents, RequestConnection {
  readonly transport: Transport;
  readonly answerHeads = new AnswerHeads();
  readonly #context: Http1Context;
  readonly #heads: RequestHeads;
  /** What has come and not been looked at: an incomplete head, or what is behind the request. */
  readonly #unread = new Gathered();

  #request: ServerRequest | undefined;
  /** Of the request: there is more of its body to come; there is more of its answer to be written. */
  #isReceiving = false;
  #isAnswering = false;
  #bodyLeft = 0;
  #chunks: ChunkedBody | undefined;
  /** What the collector has not taken. */
  #waitingBytes = 0;
  #discardedBytes = 0;

  /** The answer that was written last says that it is the last one. */
  #saidClose = false;
  #isOver = false;
  #isReading = false;
  /** What is unread is read when the others have had their turn. */
  #awaitsTurn = false;
  #isPaused = false;
  readonly #waiting = new Waiting();
  readonly #keepAliveLine: string;

  constructor(transport: Transport, context: Http1Context) {
    this.transport = transport;
    this.#context = context;
    this.#heads = new RequestHeads(context, context.readHead, transport.remoteAddress);
    this.#keepAliveLine = `keep-alive: timeout=${Math.floor(context.limits.idleTimeoutMs / 1_000)}\r\n`;
    context.connections.add(this);
    transport.events = this;
    if (context.draining()) this.drain();
  }

  onBytes(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#unread.length === 0) {
      const at = this.#read(chunk);
      if (at < chunk.length && !this.#isOver) this.#unread.add(chunk.subarray(at));
    } else {
      this.#unread.add(chunk);
      this.#readUnread();
    }
    this.#steer();
  }

  #readUnread(): void {
    if (this.#isReading || this.#awaitsTurn || this.#isOver || this.#unread.length === 0) return;
    const at = this.#read(this.#unread.bytes);
    this.#unread.drop(at);
    this.#steer();
  }

  /** Reads what can be read now; returns how far it came. */
  #read(bytes: Buffer): number {
    let at = 0;
    this.#isReading = true;
    const untilMs = performance.now() + TURN_MS;
    while (at < bytes.length && !this.#isOver) {
      let next = at;
      if (this.#request === undefined) {
        // After a first one: there may be hundreds, each answered at once.
        if (at > 0 && performance.now() >= untilMs) {
          this.#waitForTurn();
          break;
        }
        next = this.#readHead(bytes, at);
      } else if (this.#isReceiving) next = this.#readBody(bytes, at);
      if (next === at) break;
      at = next;
    }
    this.#isReading = false;
    return this.#isOver ? bytes.length : at;
  }

  #waitForTurn(): void {
    if (!this.#awaitsTurn) setImmediate(this.#takeTurn);
    this.#awaitsTurn = true;
  }

  readonly #takeTurn = (): void => {
    this.#awaitsTurn = false;
    this.#readUnread();
    this.#steer();
  };

  #readHead(bytes: Buffer, start: number): number {
    // Whoever does not read its answers gets no new ones.
    if (this.transport.out.isCongested) return start;
    const heads = this.#heads;
    const next = heads.next(bytes, start);
    if (next === 'incomplete') {
      if (heads.end < bytes.length) this.#waiting.for('head');
      return heads.end;
    }
    if (next === 'elsewhere') {
      this.#leave();
      this.#context.handOver(this.transport, Buffer.from(bytes.subarray(heads.end)));
      return bytes.length;
    }
    this.#begin(next, next.isChunked ? undefined : (heads.length ?? 0), heads.varying);
    return heads.end;
  }

  #begin(known: KnownHead, bodyLength: number | undefined, varying: readonly string[]): void {
    const request = new ServerRequest(this.#context, this, known);
    this.#request = request;
    this.#waiting.for('request');
    this.#isAnswering = true;
    this.#isReceiving = bodyLength !== 0;
    this.#chunks = known.isChunked ? new ChunkedBody() : undefined;
    this.#bodyLeft = bodyLength ?? 0;
    this.#waitingBytes = 0;
    this.#discardedBytes = 0;
    request.begin({ varying, bodyLength, timeoutMs: undefined, objection: undefined });
    if (!this.#isReceiving) this.#received(request, NOTHING);
  }

  #readBody(bytes: Buffer, start: number): number {
    const request = this.#request as ServerRequest;
    const chunks = this.#chunks;
    if (chunks === undefined) {
      const end = Math.min(bytes.length, start + this.#bodyLeft);
      this.#bodyLeft -= end - start;
      this.#isReceiving = this.#bodyLeft > 0;
      this.#received(request, bytes.subarray(start, end));
      return end;
    }
    const end = chunks.read(bytes, start);
    // It may not be what its sender meant, and what is behind it may be no request (RFC 9112 section 7.1).
    if (chunks.isBroken) {
      if (request.ended) this.#end();
      else request.failed('bad_request');
      return bytes.length;
    }
    this.#isReceiving = !chunks.isEnded;
    if (chunks.isEnded || chunks.end > chunks.start) this.#received(request, bytes.subarray(chunks.start, chunks.end));
    return end;
  }

  #received(request: ServerRequest, piece: Buffer): void {
    const ends = !this.#isReceiving;
    if (this.#isAnswering) {
      this.#waitingBytes += piece.length;
      request.requestBytes(piece, ends);
    } else if ((this.#discardedBytes += piece.length) > MAX_DISCARDED_BYTES) {
      return this.destroy();
    }
    if (ends && !this.#isAnswering && this.#request === request) this.#finish();
  }

  taken(bytes: number): void {
    this.#waitingBytes -= bytes;
    if (this.#isPaused) this.#steer();
  }

  lastLine(closes: boolean): string {
    this.#saidClose = closes || this.#context.draining();
    return this.#saidClose ? CLOSE_LINE : this.#keepAliveLine;
  }

  answered(): void {
    this.#isAnswering = false;
    if (this.#saidClose) return this.#end();
    if (!this.#isReceiving) return this.#finish();
    this.#waiting.for('discard');
    this.#steer();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#request = undefined;
    this.#chunks = undefined;
    this.#waiting.for('idle');
    this.#readUnread();
    this.#steer(); // nobody tells any more of what waited for the collector when it answered
  }

  onDrained(): void {
    this.#request?.drained();
    if (this.#waiting.what === 'linger') this.#end();
    else this.#readUnread();
    this.#steer();
  }

  /**
   * A sender that ends its half has left, as it has for Node's own server: from the end of a process nobody could tell it, and
   * the collector must not work for those that are gone.
   */
  onEnded(): void {
    const hasLeft = this.#isAnswering;
    this.#request?.senderLeft();
    if (hasLeft) this.destroy();
    else this.#end();
  }

  onClosed(): void {
    this.#leave();
    this.#request?.senderLeft();
    this.#context.connections.delete(this);
  }

  check(nowMs: number): void {
    const isUnread = this.transport.out.queuedBytes > 0;
    const patience = this.#waiting.check(nowMs, this.#context.limits, isUnread);
    if (patience === 'fine') return;
    if (patience === 'end') return this.#end();
    if (patience !== 'destroy') this.#context.budgetSpent(patience, 'ended');
    this.destroy();
  }

  drain(): void {
    this.#waiting.leave();
  }

  destroy(): void {
    this.#leave();
    this.transport.destroy();
  }

  /** Says goodbye; but what was written may take its time to leave. */
  #end(): void {
    this.#isOver = true;
    this.#unread.clear();
    this.#waiting.for('linger');
    if (this.transport.out.isCongested) this.transport.pause();
    else this.transport.end();
  }

  #leave(): void {
    this.#isOver = true;
    this.#unread.clear();
    this.#context.connections.delete(this);
  }

  /** Reads only what there is a place for. */
  #steer(): void {
    if (this.#isOver) return;
    const mustPause =
      this.#awaitsTurn ||
      this.#unread.length > MAX_UNREAD_BYTES ||
      (this.#isAnswering ? this.#waitingBytes > WINDOW_BYTES : this.transport.out.isCongested);
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.transport.pause();
    else this.transport.resume();
  }
}
