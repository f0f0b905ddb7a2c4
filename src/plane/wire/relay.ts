import type { RawFields } from '../../credential/read.ts';
import type { Gate, Judgement } from '../../gate.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { HttpReply } from '../../reply/http.ts';
import { explain } from '../../reply/refusal.ts';
import type { Reply } from '../../reply/refusal.ts';
import type { UpstreamReason } from '../../upstream/faults.ts';
import type { Refusal } from '../../verdict/decide.ts';
import { tellDeadline } from '../grpc-timeout.ts';
import { judgeAtDesk } from '../desk.ts';
import type { Desk } from '../desk.ts';
import type { PlaneLimits, PlaneObserver, RequestReport } from '../plane.ts';
import { maxBodyBytes, objectionToBody, ownAnswer, toRefusal, toUse } from '../routes.ts';
import { LOOK_AGAIN_MS, lookAgain } from '../second-look.ts';
import { isOfCollector } from './answer-head.ts';
import type { BudgetName } from './budgets.ts';
import { ByteQueue } from './byte-queue.ts';
import type { HeldBytes } from './held-bytes.ts';
import { RelayReport } from './relay-report.ts';
import type { RequestHead, RequestStart } from './request-head.ts';
import type { Roster, Seated } from './roster.ts';
import type { AnswerHead, Caller, UpstreamCall } from './upstream-call.ts';

/** What all requests of a plane share. */
export interface RelayContext {
  readonly gate: Gate;
  readonly limits: PlaneLimits;
  readonly observer: PlaneObserver;
  /** Hears of the bytes of each body as they pass. */
  readonly debit: (key: KeyRecord, bytes: number) => void;
  /** All requests between their head and their end. */
  readonly underWay: Roster<Relay>;
  /** Of their bodies, what has not left for the collector. */
  readonly held: HeldBytes;
  readonly budgetSpent: (budget: BudgetName, how: 'warned' | 'ended') => void;
}

const NOTHING = Buffer.alloc(0);
const NOTHING_MORE: RequestStart = { varying: [], bodyLength: 0, timeoutMs: undefined, objection: undefined };

/**
 * One request, from its head to its end: verdict, refusal or upstream call, limits, deadlines, and the report of how it
 * ended, which is told exactly once. The two protocols extend it with what they send; it never asks which it is.
 */
export abstract class Relay extends RelayReport implements Caller, Seated {
  seat = -1;
  /** Nothing may be sent any more, and nothing of the request is of interest. */
  ended = false;
  /** The sender has said everything. */
  requestEnded = false;
  answerBegan = false;

  private readonly context: RelayContext;
  private call: UpstreamCall | undefined;
  /** What came of the body while the key was looked up; no more than the sender's window. */
  private early: ByteQueue | undefined;
  private heldBytes = 0;
  /** When the collector has had its time. For HTTP every byte that passes renews it; a gRPC call has one deadline. */
  private deadlineMs = Infinity;
  private lookAgainAtMs = Infinity;
  /** The time that the gateway itself would wait was the shorter one. */
  private isOwnDeadline = true;

  constructor(context: RelayContext, head: RequestHead) {
    super(head);
    this.context = context;
  }

  /** The collector's answer, in the sender's protocol; pieces are valid only during the call. */
  protected abstract sendAnswer(head: AnswerHead, varying: RawFields, ends: boolean): void;
  protected abstract sendAnswerBytes(piece: Buffer, ends: boolean): void;
  protected abstract sendAnswerTrailers(trailers: AnswerHead, varying: RawFields): void;
  /** An answer of our own, whole. What the sender still sends is then thrown away for a while, so that it gets to read it. */
  protected abstract sendRefusal(reply: Reply): void;
  /** The same for what is no refusal; over HTTP only. */
  protected abstract sendOwn(reply: HttpReply): void;
  /** The answer has begun and cannot be completed: it ends so that no sender takes it for a whole one. */
  protected abstract breakOff(reply: Reply): void;
  /** The sender was too slow: cut off in a way that makes it keep its data. */
  protected abstract cutOff(): void;
  /** The sender may send so many bytes more. */
  protected abstract refill(bytes: number): void;

  /** The request goes on to the collector: who waits for leave to send its body may have it. */
  protected letThrough(): void {}

  /** The head is there, and nothing of the body yet. */
  begin(start: RequestStart): void {
    const { context, head } = this;
    this.varying = start.varying;
    context.observer.started(head.protocol);
    context.underWay.add(this);
    const objection = head.objection ?? start.objection ?? objectionToBody(head, start, head.route, context.limits);
    if (objection !== undefined) return this.refuse(toRefusal(objection, head.route));
    if (head.route?.desk === undefined)
      return this.conclude(context.gate.judgeCredential(head.credential, toUse(head.route, head.use)), start);
    this.letThrough();
    if (this.requestEnded) this.bodyIsThere(head.route.desk);
  }

  /** The key stands in it. */
  private bodyIsThere(desk: Desk): void {
    const body = this.early?.takeAll() ?? NOTHING;
    this.conclude(judgeAtDesk(this.context.gate, desk, body, this.head.use), NOTHING_MORE);
  }

  private conclude(judgement: Judgement | Promise<Judgement>, start: RequestStart): void {
    if (judgement instanceof Promise) void judgement.then((late) => this.judged(late, start));
    else this.judged(judgement, start);
  }

  private judged({ decision, fingerprint }: Judgement, start: RequestStart): void {
    this.judgedAtMs = performance.now();
    this.key = decision.key;
    this.fingerprint = fingerprint;
    if (this.ended) return; // the sender left while its key was looked up
    if (decision.verdict === 'refuse') return this.refuse(decision);
    const own = ownAnswer(this.head.route, decision.key, this);
    if (own === undefined) return this.sendOn(decision.key, start);
    this.end('accepted');
    this.sendOwn(own);
  }

  private sendOn(key: KeyRecord, { varying, bodyLength, timeoutMs = Infinity }: RequestStart): void {
    const { head, context } = this;
    const { upstreamTimeoutMs } = context.limits;
    const told = this.protocol === 'grpc' ? tellDeadline(varying, timeoutMs, upstreamTimeoutMs) : varying;
    const call = head.route?.forward?.open({ head, key, varying: told, bodyLength }, this) ?? 'upstream_unavailable';
    if (typeof call === 'string') return this.refuse({ verdict: 'refuse', reason: call });
    this.call = call;
    this.sentUpAtMs = this.judgedAtMs;
    this.deadlineMs = Math.min(this.startedAtMs + timeoutMs, this.judgedAtMs + upstreamTimeoutMs);
    this.isOwnDeadline = timeoutMs > upstreamTimeoutMs;
    this.lookAgainAtMs = this.judgedAtMs + LOOK_AGAIN_MS;
    this.letThrough();
    this.early?.drain((piece) => {
      if (!this.ended) this.writeOn(key, call, piece, false);
    });
    if (this.requestEnded && !this.ended) call.write(NOTHING, true);
  }

  /** Bytes of the body, in pieces that are valid only during the call; `ends` with the last, which may be empty. */
  requestBytes(piece: Buffer, ends: boolean): void {
    this.receivedBytes += piece.length;
    this.requestEnded ||= ends;
    const { call, key } = this;
    if (this.ended) return;
    if (this.receivedBytes > maxBodyBytes(this.head.route, this.context.limits)) return this.failed('body_too_large');
    this.hold(piece.length);
    if (call === undefined || key === undefined) {
      (this.early ??= new ByteQueue()).push(piece);
    } else {
      this.renew();
      this.writeOn(key, call, piece, ends);
    }
    if (this.heldBytes > 0 && this.context.held.isTooMuch) return this.tooMuchHeld();
    if (ends && this.head.route?.desk) this.bodyIsThere(this.head.route.desk);
  }

  private hold(bytes: number): void {
    this.heldBytes += bytes;
    this.context.held.total += bytes;
  }

  /** Its sender keeps it, and has more room for that than all senders together have here. */
  private tooMuchHeld(): void {
    this.context.budgetSpent('held_bytes', 'ended');
    this.failed('upstream_overloaded');
  }

  /** So many bytes of the body have left for the collector. */
  taken(bytes: number): void {
    if (!this.ended) this.hold(-bytes);
    this.refill(bytes);
  }

  private writeOn(key: KeyRecord, call: UpstreamCall, piece: Buffer, ends: boolean): void {
    this.context.debit(key, piece.length);
    call.write(piece, ends);
  }

  answered(head: AnswerHead, varying: RawFields, ends: boolean): void {
    if (this.ended) return;
    if (!isOfCollector(head, this.protocol, ends)) return this.failed('upstream_unavailable');
    this.upstreamAnswered(this.protocol === 'grpc' ? head.grpcStatus : head.status);
    this.answerBegan = true;
    this.renew();
    if (ends) this.complete();
    this.sendAnswer(head, varying, ends);
  }

  answerBytes(piece: Buffer, ends: boolean): void {
    if (this.ended) return;
    this.sentBytes += piece.length;
    this.renew();
    if (!ends) return this.sendAnswerBytes(piece, false);
    if (this.protocol === 'grpc') {
      if (piece.length > 0) this.sendAnswerBytes(piece, false);
      return this.failed('upstream_unavailable'); // without its status
    }
    this.complete();
    this.sendAnswerBytes(piece, true);
  }

  answerTrailers(trailers: AnswerHead, varying: RawFields): void {
    if (this.ended) return;
    if (this.protocol === 'grpc') {
      if (trailers.grpcStatus === undefined) return this.failed('upstream_unavailable');
      this.upstreamAnswered(trailers.grpcStatus);
    }
    this.complete();
    this.sendAnswerTrailers(trailers, varying);
  }

  private complete(): void {
    this.end('accepted');
    if (!this.requestEnded) this.call?.cancel(); // the collector did not want the rest
  }

  failed(reason: UpstreamReason | 'bad_request' | 'body_too_large' | 'draining'): void {
    this.refuse({ verdict: 'refuse', reason });
  }

  /** The sender has read so many bytes of the answer. */
  protected released(bytes: number): void {
    this.call?.release(bytes);
  }

  /** The sender left, or broke its protocol. */
  senderLeft(): void {
    if (this.end('cancelled')) this.call?.cancel();
  }

  /** The gateway can wait no longer. */
  interrupt(): void {
    this.failed('draining');
  }

  /** Looked at a few times a second. */
  check(nowMs: number): void {
    if (this.deadlineMs === Infinity && this.call) this.deadlineMs = nowMs + this.context.limits.upstreamTimeoutMs;
    if (nowMs >= this.deadlineMs) return this.failed('upstream_timeout');
    if (nowMs >= this.lookAgainAtMs) this.lookAgain(nowMs);
    if (this.ended || this.requestEnded || nowMs < this.startedAtMs + this.context.limits.bodyTimeoutMs) return;
    this.senderLeft();
    this.cutOff();
  }

  /** What the collector has got whole, and has not answered yet, was sent in time. */
  private lookAgain(nowMs: number): void {
    this.lookAgainAtMs = nowMs + LOOK_AGAIN_MS;
    if (!this.requestEnded || this.answerBegan) lookAgain(this.context.gate, this.head, (no) => this.refuse(no));
  }

  private refuse(refusal: Refusal): void {
    const { call } = this;
    if (!this.end(refusal.reason)) return;
    call?.cancel(refusal.reason === 'upstream_timeout' && this.isOwnDeadline);
    const reply = explain(refusal, this.requestId);
    if (this.answerBegan) this.breakOff(reply);
    else this.sendRefusal(reply);
  }

  private upstreamAnswered(status: number | undefined): void {
    if (this.answeredAtMs === 0) this.answeredAtMs = performance.now();
    this.upstreamStatus = status ?? this.upstreamStatus;
  }

  /** Bytes have passed. By how much that moves the deadline is worked out when somebody looks, not for each piece. */
  private renew(): void {
    if (this.protocol === 'http') this.deadlineMs = Infinity;
  }

  private end(outcome: RequestReport['outcome']): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.hold(-this.heldBytes);
    this.early = undefined;
    this.outcome = outcome;
    this.context.underWay.delete(this);
    this.context.observer.ended(this);
    return true;
  }
}
