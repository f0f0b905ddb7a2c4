import type { RawFields } from '../../../credential/read.ts';
import { pairs } from '../../cors.ts';
import type { Cors } from '../../cors.ts';
import { MAX_DISCARD_MS, MAX_DISCARDED_BYTES } from '../../discarding.ts';
import { toGrpcReply } from '../../../reply/grpc.ts';
import type { HttpReply } from '../../../reply/http.ts';
import type { Reply } from '../../../reply/refusal.ts';
import { httpDate } from '../date.ts';
import { toOwnAnswer, toOwnRefusal } from '../own-answer.ts';
import type { OwnAnswer } from '../own-answer.ts';
import { Relay } from '../relay.ts';
import { valueOf } from '../request-head.ts';
import type { RequestHead, RequestStart } from '../request-head.ts';
import type { ConnectionContext } from '../server-connection.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { ERROR } from './frames.ts';
import type { ErrorCode } from './frames.ts';
import { encodeFields, encodeForNow } from './hpack/encoder.ts';
import { StreamSending } from './sending.ts';
import type { Sending, SendingOwner } from './sending.ts';
import { ReceiveWindow, STREAM_WINDOW_BYTES } from './windows.ts';

/** The connection of a stream. */
export interface StreamCarrier {
  readonly context: ConnectionContext;
  readonly sending: Sending;
  /** The sender may send so many bytes more on this stream. */
  widen(stream: ServerStream, bytes: number): void;
  /** Both sides have said everything. */
  isOver(stream: ServerStream): void;
  /** Ends the stream before that, and says why. */
  reset(stream: ServerStream, code: ErrorCode): void;
}

/** Who gives up a request later than this waited for an answer, and costs us no more than one who goes on waiting. */
const EARLY_MS = 1_000;

/** A request over HTTP/2: what comes on its stream, and what is sent there. */
export class ServerStream extends Relay implements SendingOwner {
  readonly streamId: number;
  private readonly carrier: StreamCarrier;
  private readonly sending: StreamSending;
  private readonly window = new ReceiveWindow(STREAM_WINDOW_BYTES);
  /** The length of the body, as announced. */
  private announced: number | undefined;
  /** The whole answer has left. */
  private answerLeft = false;
  private discardedBytes = 0;
  private discardsUntilMs = 0;
  private stalledSinceMs = 0;

  constructor(carrier: StreamCarrier, streamId: number, head: RequestHead) {
    super(carrier.context, head);
    this.carrier = carrier;
    this.streamId = streamId;
    this.sending = new StreamSending(carrier.sending, streamId, this);
  }

  start(start: RequestStart, ends: boolean): void {
    this.announced = start.bodyLength;
    this.requestEnded = ends;
    this.begin(start);
  }

  /** A piece of the request's body. Says what is wrong with it, which ends the stream. */
  receive(piece: Buffer, flowBytes: number, ends: boolean): ErrorCode | undefined {
    if (this.requestEnded) return ERROR.STREAM_CLOSED;
    if (!this.window.take(flowBytes)) return ERROR.FLOW_CONTROL_ERROR;
    // RFC 9113 section 8.1.1: a body of another length than announced means another thing to the next reader.
    const length = this.receivedBytes + piece.length;
    const { announced } = this;
    if (announced !== undefined && (ends ? length !== announced : length > announced)) return ERROR.PROTOCOL_ERROR;

    if (flowBytes > piece.length) this.refill(flowBytes - piece.length);
    if (piece.length > 0 || ends) this.requestBytes(piece, ends);
    if (this.ended) this.discard(piece.length);
    if (ends && this.answerLeft) this.carrier.isOver(this);
    return undefined;
  }

  /** What comes behind the end of the body says nothing that goes on; but it is an end. */
  receiveTrailers(): ErrorCode | undefined {
    return this.receive(NOTHING, 0, true);
  }

  /** The peer has read, or will read, so many bytes more of the answer; false if that is more than can be. */
  widen(bytes: number): boolean {
    return this.sending.widen(bytes);
  }

  protected refill(bytes: number): void {
    this.tell(this.window.give(bytes));
  }

  /** The stream is not there any more. */
  leave(): void {
    this.sending.abandon();
    this.senderLeft();
  }

  /** Given up by its sender as soon as it was begun, though not because of an answer. */
  isGivenUpEarly(code: number): boolean {
    if (this.ended && code === ERROR.NO_ERROR) return false;
    return performance.now() - this.startedAtMs < EARLY_MS;
  }

  /** Looked at a few times a second. */
  checkStream(nowMs: number): void {
    if (this.ended && !this.requestEnded) {
      if (this.discardsUntilMs === 0) this.discardsUntilMs = nowMs + MAX_DISCARD_MS;
      if (nowMs >= this.discardsUntilMs) return this.stopReading();
    }
    const isStalled = this.sending.isWaiting && this.sending.takeSentLately() === 0;
    if (!isStalled || this.stalledSinceMs === 0) this.stalledSinceMs = nowMs;
    else if (nowMs - this.stalledSinceMs > this.carrier.context.limits.idleTimeoutMs) this.cutOff();
  }

  sent(bytes: number): void {
    this.released(bytes);
  }

  sentAll(): void {
    this.answerLeft = true;
    if (this.requestEnded) this.carrier.isOver(this);
    else this.discard(0);
  }

  protected override letThrough(): void {
    if (this.protocol === 'grpc' || this.announced === 0) return;
    if (valueOf(this.head.fields, 'expect')?.toLowerCase() === '100-continue') this.sending.head([CONTINUE], false);
  }

  protected sendAnswer(head: AnswerHead, varying: RawFields, ends: boolean): void {
    const { cors } = this;
    // An answer without a date gets ours (RFC 9110 section 6.6.1).
    const isDated = this.protocol === 'grpc' || varying.includes('date');
    const beside = isDated ? varying : [...varying, 'date', httpDate()];
    if (cors !== undefined) {
      const fields = cors.mark([...pairs(head.fields), ...pairs(beside)], this.head.use.origin);
      this.sending.head([encodeForNow([':status', String(head.status), ...fields.flat()], head)], ends);
      return;
    }
    head.asBlock ??= encodeFields([':status', String(head.status), ...head.fields], head);
    this.sending.head(beside.length === 0 ? [head.asBlock] : [head.asBlock, encodeForNow(beside, head)], ends);
  }

  protected sendAnswerBytes(piece: Buffer, ends: boolean): void {
    this.sending.data(piece, ends);
  }

  protected sendAnswerTrailers(trailers: AnswerHead, varying: RawFields): void {
    trailers.asBlock ??= encodeFields(trailers.fields, trailers);
    this.sending.trailers(
      varying.length === 0 ? [trailers.asBlock] : [trailers.asBlock, encodeFields(varying, trailers)],
    );
  }

  protected sendRefusal(reply: Reply): void {
    if (this.protocol === 'grpc') return this.sending.head([encodeForNow(fieldsOf(toGrpcReply(reply)))], true);
    this.answer(toOwnRefusal(reply, this.head, this.cors));
  }

  protected sendOwn(reply: HttpReply): void {
    this.answer(toOwnAnswer(reply, this.head, this.cors));
  }

  private answer({ status, fields, body }: OwnAnswer): void {
    this.sending.head([encodeForNow([':status', String(status), ...fields.flat()])], body === undefined);
    if (body !== undefined) this.sending.data(body, true);
  }

  protected breakOff(reply: Reply): void {
    // Senders repeat what was reset so; without it, HTTP/2 would end the stream as if the answer were whole.
    if (this.protocol === 'http') return this.carrier.reset(this, ERROR.INTERNAL_ERROR);
    const { ':status': _status, 'content-type': _type, ...trailers } = toGrpcReply(reply);
    this.sending.trailers([encodeFields(fieldsOf(trailers))]);
  }

  protected cutOff(): void {
    this.carrier.reset(this, ERROR.CANCEL);
  }

  private discard(bytes: number): void {
    this.tell(this.window.giveAll()); // what the collector had not taken, too
    this.discardedBytes += bytes;
    if (this.discardedBytes > MAX_DISCARDED_BYTES && !this.requestEnded) this.stopReading();
  }

  private tell(increment: number): void {
    if (increment > 0 && !this.requestEnded) this.carrier.widen(this, increment);
  }

  /** RFC 9113 section 8.1. Said earlier, it would overtake the answer, and the sender would see a request without one. */
  private stopReading(): void {
    this.carrier.reset(this, this.answerLeft ? ERROR.NO_ERROR : ERROR.CANCEL);
  }

  /** Pages of other origins have no business with methods of gRPC, and with some routes. */
  private get cors(): Cors | undefined {
    const { route } = this.head;
    return this.protocol === 'grpc' || route?.forPages === false ? undefined : this.carrier.context.cors;
  }
}

const NOTHING = Buffer.alloc(0);
const CONTINUE = encodeFields([':status', '100']);

function fieldsOf(reply: Readonly<Record<string, string | number>>): string[] {
  const fields: string[] = [];
  for (const name of Object.keys(reply)) fields.push(name, String(reply[name]));
  return fields;
}
