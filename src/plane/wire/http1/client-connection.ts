import type { Endpoint } from '../../../upstream/endpoint.ts';
import { connectTransport } from '../transport.ts';
import type { ConnectEvents, ConnectOptions, Transport } from '../transport.ts';
import { hasNoBody } from '../answer-head.ts';
import { Gathered } from '../gathered.ts';
import { ChunkedBody, writeChunk, writeLastChunk } from './chunked.ts';
import type { CallConnection, ClientCall } from './client-call.ts';
import { EMPTY_LINE } from './grammar.ts';
import type { HeadMemo } from './head-memo.ts';
import { readAnswer } from './read-answer.ts';
import type { KnownAnswer } from './read-answer.ts';

/** What a collector says of an answer before its body; those of OTLP have a few hundred bytes. */
const MAX_HEAD_BYTES = 64 * 1_024;
/** Of an answer, what may wait here for its reader. Then reading pauses. */
const WINDOW_BYTES = 256 * 1_024;
/** Interim answers (1xx) to one request. We ask for none. */
const MAX_INTERIM_ANSWERS = 8;

const NOTHING = Buffer.alloc(0);

/** The pool, as its connections see it. */
export interface ConnectionOwner {
  readonly memo: HeadMemo<KnownAnswer>;
  /** Writes the head of a request. */
  writeHead(call: ClientCall, transport: Transport): void;
  /** It answered: as a collector, or that there is none. */
  answered(connection: ClientConnection, status: number): void;
  /** It could not be opened, or its collector is not well. */
  failed(connection: ClientConnection, why: string): void;
  /** It may be used again, for so long. */
  freed(connection: ClientConnection, keepAliveMs: number | undefined): void;
  /** It is no more; `call` is what could not even begin on it. */
  gone(connection: ClientConnection, call: ClientCall | undefined): void;
}

/** How the body of the answer ends. */
type Body = 'none' | 'length' | 'chunks' | 'connection';

/** A connection to the collector: one request at a time. */
export class ClientConnection implements ConnectEvents, CallConnection {
  readonly endpoint: Endpoint;
  /** While it is idle: until when it may be used. */
  usableUntilMs = 0;
  isOpen = false;

  readonly #owner: ConnectionOwner;
  readonly #transport: Transport;
  #call: ClientCall | undefined;
  #isGone = false;

  /** Bytes of the request that are written, and that the collector does not take. */
  #untaken = 0;
  readonly #unread = new Gathered();
  #interimAnswers = 0;
  #answer: KnownAnswer | undefined;
  #body: Body = 'none';
  #bodyLeft = 0;
  #chunks: ChunkedBody | undefined;
  /** Bytes of the answer that were told, and that its reader does not take. */
  #unreleased = 0;
  #isPaused = false;

  constructor(owner: ConnectionOwner, endpoint: Endpoint, options: ConnectOptions, call: ClientCall) {
    this.#owner = owner;
    this.endpoint = endpoint;
    this.#call = call;
    call.connection = this;
    this.#transport = connectTransport(options, this);
  }

  get isAnswering(): boolean {
    return this.#answer !== undefined;
  }

  onConnected(): void {
    this.isOpen = true;
    if (this.#call) this.send(this.#call);
  }

  send(call: ClientCall): void {
    this.#call = call;
    this.#untaken = 0;
    this.#interimAnswers = 0;
    this.#answer = undefined;
    this.#owner.writeHead(call, this.#transport);
    call.begin(this);
  }

  writeBody(piece: Buffer, ends: boolean): void {
    const { out } = this.#transport;
    const call = this.#call as ClientCall;
    if (call.request.bodyLength !== undefined) {
      out.append(piece);
    } else {
      writeChunk(out, piece);
      if (ends) writeLastChunk(out);
    }
    this.#untaken += piece.length;
    this.onDrained();
  }

  onDrained(): void {
    const bytes = this.#untaken;
    if (bytes === 0 || this.#call === undefined || this.#transport.out.isCongested) return;
    this.#untaken = 0;
    this.#call.caller.taken(bytes);
  }

  onBytes(chunk: Buffer): void {
    // Nobody has asked for them: whatever they are, they must not become the answer to the next request.
    if (this.#call === undefined) return this.destroy();
    if (this.#unread.length === 0) {
      const at = this.#read(chunk);
      if (at < chunk.length) this.#unread.add(chunk.subarray(at));
    } else {
      this.#unread.add(chunk);
      this.#unread.drop(this.#read(this.#unread.bytes));
    }
  }

  /** Returns how far it came. */
  #read(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#call === undefined) {
        this.destroy(); // more than the answer
        return bytes.length;
      }
      const next = this.#answer === undefined ? this.#readHead(bytes, at) : this.#readBody(bytes, at);
      if (next === at) return at;
      at = next;
    }
    return at;
  }

  #readHead(bytes: Buffer, start: number): number {
    const { memo } = this.#owner;
    const known = memo.find(bytes, start);
    if (known !== undefined) return this.#begin(known, memo.length, memo.varying, bytes, memo.end);
    const emptyLine = bytes.indexOf(EMPTY_LINE, start);
    const end = emptyLine === -1 ? bytes.length : emptyLine + EMPTY_LINE.length;
    const read = emptyLine === -1 ? undefined : readAnswer(bytes, start, end);
    if (end - start > MAX_HEAD_BYTES || (emptyLine !== -1 && read === undefined))
      return this.#fail('its answer is not HTTP/1.1 as it must be', bytes);
    if (read === undefined) return start;
    if (read.varyingPlaces) memo.add(bytes, start, end, read.varyingPlaces, MAX_HEAD_BYTES, read.known);
    return this.#begin(read.known, read.length, read.varying, bytes, end);
  }

  #begin(
    known: KnownAnswer,
    length: number | undefined,
    varying: readonly string[],
    bytes: Buffer,
    end: number,
  ): number {
    const { status } = known.head;
    if (status < 200) {
      // RFC 9110 section 15.2: they may come at any time. But we never ask for another protocol.
      if (status === 101 || ++this.#interimAnswers > MAX_INTERIM_ANSWERS)
        return this.#fail('its answer is not HTTP/1.1 as it must be', bytes);
      return end;
    }
    const call = this.#call as ClientCall;
    this.#answer = known;
    this.#startBody(known, call.request.head.method, length);
    this.#owner.answered(this, status);
    const ends = this.#body === 'none';
    if (ends) this.#complete(call, known, end < bytes.length);
    call.caller.answered(known.head, varying, ends);
    return end;
  }

  /** RFC 9112 section 6.3. */
  #startBody({ head: { status }, framing }: KnownAnswer, method: string, length: number | undefined): void {
    this.#body = hasNoBody(method, status) || (framing === 'length' && length === 0) ? 'none' : framing;
    this.#bodyLeft = length ?? 0;
    this.#chunks = this.#body === 'chunks' ? new ChunkedBody() : undefined;
  }

  #readBody(bytes: Buffer, start: number): number {
    const call = this.#call as ClientCall;
    const known = this.#answer as KnownAnswer;
    let end = bytes.length;
    let piece: Buffer;
    let ends = false;
    if (this.#chunks !== undefined) {
      const chunks = this.#chunks;
      end = chunks.read(bytes, start);
      if (chunks.isBroken) return this.#fail('its answer is not HTTP/1.1 as it must be', bytes);
      piece = bytes.subarray(chunks.start, chunks.end);
      ends = chunks.isEnded;
    } else if (this.#body === 'length') {
      end = Math.min(end, start + this.#bodyLeft);
      this.#bodyLeft -= end - start;
      piece = bytes.subarray(start, end);
      ends = this.#bodyLeft === 0;
    } else {
      piece = start === 0 ? bytes : bytes.subarray(start);
    }
    if (ends) this.#complete(call, known, end < bytes.length);
    else this.#told(piece.length);
    if (ends || piece.length > 0) call.caller.answerBytes(piece, ends);
    return end;
  }

  /** The answer is whole. Before its end is told, the connection is free for whatever its caller does next. */
  #complete(call: ClientCall, { closes, keepAliveMs }: KnownAnswer, isMoreThere: boolean): void {
    const isUsable = !closes && !isMoreThere && call.isSent && this.#transport.out.queuedBytes === 0;
    call.end();
    this.#call = undefined;
    this.#chunks = undefined;
    this.#unreleased = 0;
    this.#steer();
    if (isUsable) this.#owner.freed(this, keepAliveMs);
    else this.destroy();
  }

  #told(bytes: number): void {
    this.#unreleased += bytes;
    this.#steer();
  }

  release(bytes: number): void {
    this.#unreleased -= bytes;
    this.#steer();
  }

  #steer(): void {
    const mustPause = this.#unreleased > WINDOW_BYTES;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#transport.pause();
    else this.#transport.resume();
  }

  onEnded(): void {
    const call = this.#call;
    if (call !== undefined && this.#answer !== undefined && this.#body === 'connection') {
      this.#complete(call, this.#answer, true);
      call.caller.answerBytes(NOTHING, true);
    } else {
      this.#fail('it was closed');
    }
  }

  onClosed(error: Error | undefined): void {
    this.#fail(error?.message ?? 'it was closed');
  }

  /** The answer can not be, or can not be completed. */
  #fail(why: string, bytes: Buffer = NOTHING): number {
    const call = this.#call;
    if (this.#isGone) return bytes.length;
    if (call === undefined) {
      this.destroy();
      return bytes.length;
    }
    this.failed(why);
    if (this.isOpen) call.failed('upstream_unavailable');
    else this.#leave(call);
    return bytes.length;
  }

  failed(why: string): void {
    this.#owner.failed(this, why);
  }

  destroy(): void {
    const isInUse = this.#call !== undefined;
    this.#leave(undefined);
    if (isInUse) this.#transport.reset();
    else this.#transport.destroy();
  }

  #leave(unsent: ClientCall | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.isOpen = false;
    this.#call = undefined;
    if (unsent !== undefined) unsent.connection = undefined;
    this.#owner.gone(this, unsent);
  }
}
