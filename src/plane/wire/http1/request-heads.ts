import type { HeadReader, RequestHead } from '../request-head.ts';
import { CR, EMPTY_LINE, LF } from './grammar.ts';
import { HeadMemo } from './head-memo.ts';
import { isHopeless, readRequest, TOO_LARGE, UNREADABLE } from './read-request.ts';
import type { HeadRules, UnfitHead } from './read-request.ts';

/** A head as it is remembered. */
export interface KnownHead {
  readonly head: RequestHead;
  readonly isChunked: boolean;
  /** It is the last one of its connection. */
  readonly closes: boolean;
  /** Its sender waits for leave to send the body. */
  readonly expectsContinue: boolean;
}

const NONE: readonly string[] = [];

export type NextHead = KnownHead | 'elsewhere' | 'incomplete';

/** Finds the heads of one connection, one after the other. */
export class RequestHeads {
  /** Of the head that was found last: where it ends, its Content-Length, its other varying fields. */
  end = 0;
  length: number | undefined;
  varying = NONE;

  readonly #rules: HeadRules;
  readonly #readHead: HeadReader;
  readonly #peer: string;
  readonly #memo = new HeadMemo<KnownHead>({ listsLength: false });
  /** So much of an incomplete head was searched for its end. */
  #searched = 0;
  #skippedLine = false;

  constructor(rules: HeadRules, readHead: HeadReader, peer: string) {
    this.#rules = rules;
    this.#readHead = readHead;
    this.#peer = peer;
  }

  /** The head that begins there. If it is incomplete, the next call gets the same bytes from `end` on, and more of them. */
  next(bytes: Buffer, from: number): NextHead {
    const start = this.#skipEmptyLine(bytes, from);
    this.end = start;
    if (start === bytes.length || this.#mayBeEmptyLine(bytes, start)) return 'incomplete';
    // The common case: nothing was searched yet, because the head is whole and known.
    const known = this.#searched === 0 ? this.#recall(bytes, start) : undefined;
    if (known !== undefined) return known;

    const emptyLine = bytes.indexOf(EMPTY_LINE, start + Math.max(0, this.#searched - EMPTY_LINE.length));
    const end = emptyLine === -1 ? bytes.length : emptyLine + EMPTY_LINE.length;
    if (end - start > this.#rules.limits.maxHeaderBytes) return this.#refuse(TOO_LARGE, bytes);
    if (emptyLine === -1) {
      if (isHopeless(bytes, start + this.#searched, start)) return this.#refuse(UNREADABLE, bytes);
      this.#searched = end - start;
      return 'incomplete';
    }
    return (this.#searched > 0 ? this.#recall(bytes, start) : undefined) ?? this.#read(bytes, start, end);
  }

  /** RFC 9112 section 2.2: some senders write one behind a body. More than one is no habit. */
  #skipEmptyLine(bytes: Buffer, start: number): number {
    if (this.#skippedLine || bytes[start] !== CR || bytes[start + 1] !== LF) return start;
    this.#skippedLine = true;
    return start + 2;
  }

  #mayBeEmptyLine(bytes: Buffer, start: number): boolean {
    return bytes.length === start + 1 && bytes[start] === CR && !this.#skippedLine;
  }

  #recall(bytes: Buffer, start: number): KnownHead | undefined {
    const memo = this.#memo;
    const known = memo.find(bytes, start);
    if (known !== undefined) this.#found(memo.end, memo.length, memo.varying);
    return known;
  }

  #read(bytes: Buffer, start: number, end: number): NextHead {
    const read = readRequest(bytes, start, end, this.#rules);
    if (read === 'elsewhere') return read;
    if ('objection' in read) return this.#refuse(read, bytes);
    const { method, target, fields, bodyLength, closes, expectsContinue } = read;
    const known: KnownHead = {
      head: this.#readHead({ protocol: 'http', peer: this.#peer, method, target, fields, objection: undefined }),
      isChunked: bodyLength === undefined,
      closes,
      expectsContinue,
    };
    const memo = this.#memo;
    const { varyingPlaces, maxVaryingBytes } = read;
    if (memo.comesAgain(bytes, start, end, varyingPlaces))
      memo.add(bytes, start, end, varyingPlaces, maxVaryingBytes, known);
    this.#found(end, bodyLength, read.varying);
    return known;
  }

  /** It is answered like any other, but nothing behind it is looked at. */
  #refuse(unfit: UnfitHead, bytes: Buffer): KnownHead {
    this.#found(bytes.length, 0, NONE);
    const head = this.#readHead({ protocol: 'http', peer: this.#peer, ...unfit });
    return { head, isChunked: false, closes: true, expectsContinue: false };
  }

  #found(end: number, length: number | undefined, varying: readonly string[]): void {
    this.end = end;
    this.length = length;
    this.varying = varying;
    this.#searched = 0;
    this.#skippedLine = false;
  }
}
