import type { RawFields } from '../../../credential/read.ts';
import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { UpstreamReason } from '../../../upstream/faults.ts';
import { hasNoBody } from '../answer-head.ts';
import { ByteQueue } from '../byte-queue.ts';
import type { AnswerHead, Caller, OnwardRequest, UpstreamCall } from '../upstream-call.ts';
import { announcedLength } from './answer-head.ts';
import { ERROR } from './frames.ts';
import type { ErrorCode } from './frames.ts';
import { StreamSending } from './sending.ts';
import type { Sending, SendingOwner } from './sending.ts';
import type { SentBodies } from './sent-bodies.ts';
import { ReceiveWindow, STREAM_WINDOW_BYTES } from './windows.ts';

/** The connection that carries a stream. */
export interface Carrier {
  readonly endpoint: Endpoint;
  readonly sending: Sending;
  readonly sent: SentBodies;
  /** The caller has taken so many bytes of answers. */
  released(bytes: number): void;
  /** The collector may send so many bytes more on this stream. */
  widen(streamId: number, bytes: number): void;
  /** The stream is over; with a code, the collector has to be told. */
  forget(stream: ClientStream, code: ErrorCode | undefined): void;
}

/** Who finds a carrier for each stream. */
export interface Placing {
  /** The stream is as good as new: the collector has done nothing with it. */
  placeAgain(stream: ClientStream): void;
  /** It needs no place any more. */
  withdraw(stream: ClientStream): void;
}

/** A call is begun at most so many times. */
const MAX_ATTEMPTS = 3;
const MAX_INTERIM_ANSWERS = 8;
const NOTHING = Buffer.alloc(0);

/** One call on its way to the collector: it waits for a connection first, and then is one stream of it. */
export class ClientStream implements UpstreamCall, SendingOwner {
  readonly request: OnwardRequest;
  /** On its connection; 0 until it has one. */
  id = 0;
  /** Where it was tried last. */
  endpoint: Endpoint | undefined;
  /** While it waits for a connection: until when, and what becomes of it then. */
  waitsUntilMs = 0;
  waitsInVain: UpstreamReason = 'upstream_unavailable';
  /** It has been answered, has failed or was cancelled. */
  isOver = false;

  private readonly caller: Caller;
  private readonly placing: Placing;
  private carrier: Carrier | undefined;
  private attempts = 0;

  private sending: StreamSending | undefined;
  /** What came of the body before there was a connection; no more than the sender's window. */
  private early: ByteQueue | undefined;
  private requestEnded: boolean;
  private endLeft = false;
  /** How much of the body was given to this connection, and where that is remembered; and how much of it has left. */
  private givenBytes = 0;
  private givenFrom = 0;
  private leftBytes = 0;
  /** How much of it the caller was told of. */
  private toldBytes = 0;
  private isWriting = false;

  private answerBegan = false;
  private interimAnswers = 0;
  /** How many bytes of the answer are to come, if it says so. */
  private answerLeft: number | undefined;
  private window: ReceiveWindow | undefined;
  /** Bytes that the caller has, and has not released. */
  private unreleased = 0;

  constructor(request: OnwardRequest, caller: Caller, placing: Placing) {
    this.request = request;
    this.caller = caller;
    this.placing = placing;
    this.requestEnded = request.bodyLength === 0;
  }

  /** It gets this place on a connection, where nothing of it has left so far. */
  begin(carrier: Carrier, id: number, head: readonly Buffer[]): void {
    this.carrier = carrier;
    this.endpoint = carrier.endpoint;
    this.id = id;
    this.attempts += 1;
    this.givenBytes = 0;
    this.givenFrom = 0;
    this.leftBytes = 0;
    this.window = new ReceiveWindow(STREAM_WINDOW_BYTES);
    const { early } = this;
    this.early = undefined;
    const isEmpty = this.requestEnded && early === undefined;
    this.sending = new StreamSending(carrier.sending, id, this);
    this.sending.head(head, isEmpty);
    if (early === undefined) return;
    const { sending } = this;
    early.drain((piece, isLast) => this.give(carrier, sending, piece, this.requestEnded && isLast));
    this.tellTaken();
  }

  write(piece: Buffer, ends: boolean): void {
    if (this.isOver || this.requestEnded) return;
    this.requestEnded = ends;
    const { carrier, sending } = this;
    if (carrier !== undefined && sending !== undefined) {
      this.give(carrier, sending, piece, ends);
      this.tellTaken();
    } else if (piece.length > 0) (this.early ??= new ByteQueue()).push(piece);
  }

  private give(carrier: Carrier, sending: StreamSending, piece: Buffer, ends: boolean): void {
    if (!this.answerBegan) this.givenFrom = carrier.sent.add(this.givenFrom, this.givenBytes, piece);
    this.givenBytes += piece.length;
    this.isWriting = true;
    sending.data(piece, ends);
    this.isWriting = false;
  }

  sent(bytes: number): void {
    this.leftBytes += bytes;
    if (!this.isWriting) this.tellTaken();
  }

  sentAll(): void {
    this.endLeft = true;
  }

  /** Not while a piece is given: who hears of it may write the next one at once. */
  private tellTaken(): void {
    const bytes = this.leftBytes - this.toldBytes;
    if (bytes <= 0) return; // what leaves again was told before
    this.toldBytes = this.leftBytes;
    this.caller.taken(bytes);
  }

  release(bytes: number): void {
    const released = Math.min(bytes, this.unreleased);
    if (released > 0 && !this.isOver) this.refill(released);
  }

  private refill(bytes: number): void {
    this.unreleased -= bytes;
    this.carrier?.released(bytes);
    const increment = this.window?.give(bytes) ?? 0;
    if (increment > 0) this.carrier?.widen(this.id, increment);
  }

  cancel(isOverdue = false): void {
    if (this.isOver) return;
    if (this.carrier === undefined) this.placing.withdraw(this);
    // Only a collector that has all of a request owes the answer.
    else if (isOverdue && this.endLeft && !this.answerBegan) this.carrier.endpoint.failed('lost');
    this.finish(ERROR.CANCEL);
  }

  headCame(head: AnswerHead, varying: RawFields, ends: boolean): void {
    if (this.answerBegan) this.trailersCame(head, varying, ends);
    else if (head.status >= 200) this.answerCame(head, varying, ends);
    else this.interimCame(head, ends);
  }

  /** 101 is not for HTTP/2 (RFC 9113 section 8.6); 0 is that of trailers. */
  private interimCame({ status }: AnswerHead, ends: boolean): void {
    this.interimAnswers += 1;
    if (ends || status < 100 || status === 101 || this.interimAnswers > MAX_INTERIM_ANSWERS) this.malformed();
  }

  private answerCame(head: AnswerHead, varying: RawFields, ends: boolean): void {
    const length = hasNoBody(this.request.head.method, head.status) ? undefined : announcedLength(varying);
    if (Number.isNaN(length) || (ends && length !== undefined && length > 0)) return this.malformed();
    this.answerLeft = length;
    this.answerBegan = true;
    if (ends) this.finishInOrder();
    this.caller.answered(head, varying, ends);
  }

  private trailersCame(trailers: AnswerHead, varying: RawFields, ends: boolean): void {
    if (!ends || trailers.status !== 0 || (this.answerLeft ?? 0) > 0) return this.malformed();
    this.finishInOrder();
    this.caller.answerTrailers(trailers, varying);
  }

  /** A piece of the answer; its padding is only in the second number. */
  dataCame(piece: Buffer, flowBytes: number, ends: boolean): void {
    this.unreleased += flowBytes;
    if (this.window?.take(flowBytes) === false) return this.broken(ERROR.FLOW_CONTROL_ERROR);
    if (this.answerLeft !== undefined) this.answerLeft -= piece.length;
    const left = this.answerLeft ?? 0;
    if (!this.answerBegan || left < 0 || (ends && left > 0)) return this.malformed();
    if (ends) this.finishInOrder();
    else if (flowBytes > piece.length) this.refill(flowBytes - piece.length);
    if (ends || piece.length > 0) this.caller.answerBytes(piece, ends);
  }

  /** The collector takes so many bytes more of it. */
  windowGrew(bytes: number): void {
    if (this.sending?.widen(bytes) === false) this.broken(ERROR.FLOW_CONTROL_ERROR);
  }

  resetCame(code: number): void {
    const reason = code === ERROR.ENHANCE_YOUR_CALM ? 'upstream_overloaded' : 'upstream_unavailable';
    this.interrupted(code === ERROR.REFUSED_STREAM && this.leftBytes === 0, reason);
  }

  /** The collector has left without having looked at it (RFC 9113 section 6.8). */
  wasNotProcessed(): void {
    this.interrupted(true, 'upstream_unavailable');
  }

  /** Nobody knows what the collector has seen: only what cannot have been a whole request is sent again. */
  connectionLost(): void {
    this.interrupted(this.leftBytes === 0 && !this.endLeft, 'upstream_unavailable');
  }

  private interrupted(mayBeSentAgain: boolean, reason: UpstreamReason): void {
    const left = this.leftBytes === 0 ? NOTHING : this.carrier?.sent.read(this.givenFrom, this.leftBytes);
    if (!mayBeSentAgain || left === undefined || this.answerBegan || this.attempts >= MAX_ATTEMPTS) {
      this.fail(reason);
      return;
    }
    const rest = this.sending?.abandon();
    if (left.length > 0 || rest !== undefined) {
      const early = new ByteQueue();
      early.push(left);
      rest?.drain((piece) => early.push(piece));
      this.early = early;
    }
    this.leave(undefined);
    this.placing.placeAgain(this);
  }

  /** There is no place for it, or something was wrong with it. */
  fail(reason: UpstreamReason): void {
    if (this.isOver) return;
    this.finish(undefined);
    this.caller.failed(reason);
  }

  /** What came on it is no answer (RFC 9113 section 8.1.1). */
  malformed(): void {
    this.broken(ERROR.PROTOCOL_ERROR);
  }

  private broken(code: ErrorCode): void {
    this.finish(code);
    this.caller.failed('upstream_unavailable');
  }

  private finishInOrder(): void {
    this.finish(this.endLeft ? undefined : ERROR.CANCEL); // the collector did not want the rest
  }

  private finish(code: ErrorCode | undefined): void {
    this.isOver = true;
    this.early = undefined;
    this.leave(code);
  }

  private leave(code: ErrorCode | undefined): void {
    const { carrier, unreleased } = this;
    this.sending?.abandon();
    this.sending = undefined;
    this.carrier = undefined;
    this.unreleased = 0;
    if (carrier === undefined) return;
    if (unreleased > 0) carrier.released(unreleased);
    carrier.forget(this, code);
  }
}
