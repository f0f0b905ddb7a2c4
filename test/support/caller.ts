import type { RawFields } from '../../src/credential/read.ts';
import type { AnswerHead, Caller, OnwardRequest } from '../../src/plane/wire/upstream-call.ts';
import { newRecord } from './stores.ts';

/** Writes down what becomes of a call, in order. */
export class RecordingCaller implements Caller {
  head: AnswerHead | undefined;
  varying: RawFields = [];
  takenBytes = 0;
  readonly pieces: Buffer[] = [];
  /** How it ended, once. */
  ending: 'nothing yet' | 'answered' | 'failed' = 'nothing yet';
  reason: string | undefined;

  taken(bytes: number): void {
    this.takenBytes += bytes;
  }
  answered(head: AnswerHead, varying: RawFields, ends: boolean): void {
    this.head = head;
    this.varying = varying;
    if (ends) this.end('answered');
  }
  answerBytes(piece: Buffer, ends: boolean): void {
    this.pieces.push(Buffer.from(piece));
    if (ends) this.end('answered');
  }
  answerTrailers(): void {
    this.end('answered');
  }
  failed(reason: string): void {
    this.reason = reason;
    this.end('failed');
  }
  get body(): string {
    return Buffer.concat(this.pieces).toString('latin1');
  }
  get isOver(): boolean {
    return this.ending !== 'nothing yet';
  }

  private end(ending: 'answered' | 'failed'): void {
    if (this.isOver) throw new Error(`told again: ${ending} after ${this.ending}`);
    this.ending = ending;
  }
}

export function onwardRequest(fields: Partial<OnwardRequest> & { readonly method?: string } = {}): OnwardRequest {
  const { method = 'POST', ...rest } = fields;
  return {
    head: { protocol: 'http', method, path: '/v1/traces', fields: ['x-a', 'b'], onward: undefined },
    key: newRecord(),
    varying: [],
    bodyLength: 0,
    ...rest,
  };
}
