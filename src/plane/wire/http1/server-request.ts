import type { RawFields } from '../../../credential/read.ts';
import type { HttpReply } from '../../../reply/http.ts';
import type { Reply } from '../../../reply/refusal.ts';
import { pairs } from '../../cors.ts';
import type { Cors } from '../../cors.ts';
import { isDistrusted } from '../../discarding.ts';
import { toOwnAnswer, toOwnRefusal } from '../own-answer.ts';
import type { OwnAnswer } from '../own-answer.ts';
import { Relay } from '../relay.ts';
import type { ConnectionContext } from '../server-connection.ts';
import type { Transport } from '../transport.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { CONTINUE, writeOwnAnswer } from './answer-lines.ts';
import type { AnswerHeads, BodyFraming } from './answer-lines.ts';
import { writeChunk, writeLastChunk } from './chunked.ts';
import type { KnownHead } from './request-heads.ts';

/** The connection that a request came on, as the request sees it. */
export interface RequestConnection {
  readonly transport: Transport;
  readonly answerHeads: AnswerHeads;
  /** What the next answer says of the connection: whether it is the last one. */
  lastLine(closes: boolean): string;
  /** The sender may send so many bytes more. */
  taken(bytes: number): void;
  /** The answer is written, to its end. */
  answered(): void;
}

/** A request over HTTP/1.1. */
export class ServerRequest extends Relay {
  readonly #connection: RequestConnection;
  readonly #cors: Cors | undefined;
  readonly #closes: boolean;
  /** The sender has not been told yet that it may send the body, and may never send it. */
  #awaitsLeave: boolean;
  #framing: BodyFraming = 'none';
  /** What was announced of the answer's body and has not come yet. */
  #left = 0;
  /** Bytes of the answer that are written, and that the sender does not take. */
  #unreleased = 0;

  constructor(context: ConnectionContext, connection: RequestConnection, { head, closes, expectsContinue }: KnownHead) {
    super(context, head);
    this.#connection = connection;
    // Pages of other origins have no business with some routes.
    this.#cors = head.route?.forPages === false ? undefined : context.cors;
    this.#closes = closes;
    this.#awaitsLeave = expectsContinue;
  }

  protected override letThrough(): void {
    if (!this.#awaitsLeave) return;
    this.#awaitsLeave = false;
    this.#connection.transport.out.append(CONTINUE);
  }

  protected sendAnswer(head: AnswerHead, varying: RawFields, ends: boolean): void {
    const { transport, answerHeads } = this.#connection;
    const connectionLine = this.#connection.lastLine(this.#closes || this.#awaitsLeave);
    const kind = { ends, isForHead: this.head.method === 'HEAD', connectionLine };
    answerHeads.write(transport.out, this.#marked(head), varying, kind);
    this.#framing = answerHeads.framing;
    this.#left = answerHeads.bodyLength;
    if (ends) this.#connection.answered();
  }

  /** With what lets a page read it. */
  #marked(head: AnswerHead): AnswerHead {
    if (this.#cors === undefined) return head;
    const fields = this.#cors.mark(pairs(head.fields), this.head.use.origin).flat();
    return { ...head, fields };
  }

  protected sendAnswerBytes(piece: Buffer, ends: boolean): void {
    const { transport } = this.#connection;
    const { out } = transport;
    if (this.#framing === 'length') {
      this.#left -= piece.length;
      // An answer that is not as long as it says would be read as another one.
      if (this.#left < 0 || (ends && this.#left > 0)) return transport.destroy();
      out.append(piece);
    } else if (this.#framing === 'chunks') {
      writeChunk(out, piece);
      if (ends) writeLastChunk(out);
    }
    if (ends) return this.#connection.answered();
    this.#unreleased += piece.length;
    this.drained();
  }

  /** HTTP/1.1 senders are told no trailers: most of them would not look. */
  protected sendAnswerTrailers(): void {
    this.sendAnswerBytes(NOTHING, true);
  }

  /** The sender may have taken what was written. */
  drained(): void {
    const bytes = this.#unreleased;
    if (bytes === 0 || this.#connection.transport.out.isCongested) return;
    this.#unreleased = 0;
    this.released(bytes);
  }

  protected sendRefusal(reply: Reply): void {
    // Who waits for leave to send its body may go on with its next request instead: both would look alike.
    const closes = this.#closes || this.#awaitsLeave || isDistrusted(reply.status.errorInfo.reason);
    this.#answer(toOwnRefusal(reply, this.head, this.#cors), closes);
  }

  protected sendOwn(reply: HttpReply): void {
    this.#answer(toOwnAnswer(reply, this.head, this.#cors), this.#closes || this.#awaitsLeave);
  }

  #answer(answer: OwnAnswer, closes: boolean): void {
    const connection = this.#connection;
    writeOwnAnswer(connection.transport.out, answer, connection.lastLine(closes));
    connection.answered();
  }

  /** A broken answer is retried; a short one would be believed. Those before it leave first. */
  protected breakOff(): void {
    this.#connection.transport.out.flush();
    this.#connection.transport.destroy();
  }

  /** On any status that fits, its sender would delete its data. */
  protected cutOff(): void {
    this.#connection.transport.destroy();
  }

  protected refill(bytes: number): void {
    if (!this.ended) this.#connection.taken(bytes);
  }
}

const NOTHING = Buffer.alloc(0);
