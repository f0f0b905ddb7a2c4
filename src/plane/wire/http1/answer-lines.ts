import { STATUS_CODES } from 'node:http';
import type { RawFields } from '../../../credential/read.ts';
import { httpDate } from '../date.ts';
import { MAX_RESERVED_BYTES } from '../output.ts';
import type { Output } from '../output.ts';
import type { OwnAnswer } from '../own-answer.ts';
import { valueOf } from '../request-head.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { EMPTY_LINE } from './grammar.ts';

export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

export const CHUNKED_LINE = 'transfer-encoding: chunked\r\n';
export const CLOSE_LINE = 'connection: close\r\n';

/** What an answer's head depends on, besides the head itself. */
export interface AnswerKind {
  /** That is all of it. */
  readonly ends: boolean;
  /** It is for a HEAD. */
  readonly isForHead: boolean;
  /** What it says of its connection. */
  readonly connectionLine: string;
}

/** How the body of an answer is framed. */
export type BodyFraming = 'none' | 'length' | 'chunks';

/** Writes the heads of the collector's answers on one connection. Most are like the one before, which is remembered. */
export class AnswerHeads {
  /** Of the head that was written last: how the body behind it is framed, and how long it is. */
  framing: BodyFraming = 'none';
  bodyLength = 0;

  #head: AnswerHead | undefined;
  #varying: RawFields = [];
  #kind: AnswerKind = { ends: false, isForHead: false, connectionLine: '' };
  #dateLine = '';
  #bytes: Buffer = Buffer.alloc(0);

  write(out: Output, head: AnswerHead, varying: RawFields, kind: AnswerKind): void {
    const date = dateLine();
    if (!this.#isLast(head, varying, kind) || date !== this.#dateLine) {
      this.#bytes = Buffer.from(this.#compose(head, varying, kind, date), 'latin1');
      this.#head = head;
      this.#varying = varying;
      this.#kind = kind;
      this.#dateLine = date;
    }
    out.append(this.#bytes);
  }

  #isLast(head: AnswerHead, varying: RawFields, { ends, isForHead, connectionLine }: AnswerKind): boolean {
    const last = this.#kind;
    return (
      head === this.#head &&
      varying === this.#varying &&
      ends === last.ends &&
      isForHead === last.isForHead &&
      connectionLine === last.connectionLine
    );
  }

  #compose({ status, fields }: AnswerHead, varying: RawFields, kind: AnswerKind, date: string): string {
    const length = valueOf(varying, 'content-length');
    const others = fieldLines(varying.filter((_, i) => varying[i - (i % 2)] !== 'content-length'));
    const ownDate = valueOf(varying, 'date') === undefined ? date : '';
    const framing = this.#frame(status, length, kind);
    return `${statusLine(status)}${fieldLines(fields)}${others}${ownDate}${framing}${kind.connectionLine}\r\n`;
  }

  /** The line that says how the body is framed; none where there can be no body (RFC 9112 section 6.3). */
  #frame(status: number, length: string | undefined, { ends, isForHead }: AnswerKind): string {
    this.framing = 'none';
    if (status === 204) return '';
    if (isForHead || status === 304) return length === undefined ? '' : `content-length: ${length}\r\n`;
    if (length === undefined && !ends) {
      this.framing = 'chunks';
      return CHUNKED_LINE;
    }
    this.framing = 'length';
    this.bodyLength = ends ? 0 : Number(length);
    return `content-length: ${this.bodyLength}\r\n`;
  }
}

/** Writes an answer of our own. */
export function writeOwnAnswer(out: Output, { status, fields, body }: OwnAnswer, last: string): void {
  let lines = statusLine(status);
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  writeText(out, `${lines}${last}\r\n`);
  if (body !== undefined) out.append(body);
}

/** Text of one byte a character. */
export function writeText(out: Output, text: string): void {
  if (text.length > MAX_RESERVED_BYTES) return out.append(Buffer.from(text, 'latin1'));
  const offset = out.reserve(text.length);
  out.bytes.write(text, offset, 'latin1');
}

const LENGTH_LINE = Buffer.from('content-length: ');

/** The line that says the length of a body, and the end of the head. */
export function writeLength(out: Output, length: number): void {
  const digits = String(length);
  const { length: nameLength } = LENGTH_LINE;
  let at = out.reserve(nameLength + digits.length + EMPTY_LINE.length);
  const { bytes } = out;
  for (let i = 0; i < nameLength; i++) bytes[at++] = LENGTH_LINE[i] as number;
  for (let i = 0; i < digits.length; i++) bytes[at++] = digits.charCodeAt(i);
  for (let i = 0; i < EMPTY_LINE.length; i++) bytes[at++] = EMPTY_LINE[i] as number;
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}

export function fieldLines(fields: RawFields): string {
  let lines = '';
  for (let i = 0; i + 1 < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return lines;
}

/** An answer without a date gets ours (RFC 9110 section 6.6.1). */
function dateLine(): string {
  return `date: ${httpDate()}\r\n`;
}
