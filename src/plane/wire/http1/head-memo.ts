import { CR, HTAB, IS_VALUE, LF, MAX_LENGTH_DIGITS, SP } from './grammar.ts';
import type { ValuePlace } from './grammar.ts';

/** What a memo holds at most: heads, and bytes of them in all. Past that, the oldest goes. */
const MAX_HEADS = 16;
const MAX_BYTES = 32 * 1_024;
/** What a line takes in memory besides, once it was read. */
const LINE_BYTES = 32;
/** Of so many heads that were not known it is still known that they came: a few times as many as are remembered. */
const MAX_CAME = 64;

/** A head as it was sent once, cut where the values of varying fields stand. */
interface Remembered<T> {
  readonly value: T;
  /** One more than there are names. */
  readonly parts: readonly Buffer[];
  /** Of the fields whose values stand between the parts. */
  readonly names: readonly string[];
  /** How long the values may be in all, so that the head is within its limits. */
  readonly maxVaryingBytes: number;
  readonly bytes: number;
}

/** Up to here the head that was found last is kept as it was. */
const MAX_REPEATED_BYTES = 2 * 1_024;
/** For one that is a little longer. */
const SPARE_BYTES = 64;

const NOTHING: Buffer = Buffer.alloc(0);
const NONE: readonly string[] = [];
const NO_MATCH = -1;
const ZERO = 0x30;

/**
 * What was read from heads, by their bytes but for the values of varying fields. A head is known again only if everything
 * else in it is the same, byte for byte, and each varying value is plain; whatever is in any doubt is not known here, and
 * is then read in full. So both ways come to the same (test/unit/plane/wire/http1 compares them).
 */
export class HeadMemo<T> {
  /** Of the head that was found last: where it ends, its Content-Length, its varying fields. */
  end = 0;
  length: number | undefined;
  /** With Content-Length only if it is to be listed. The same list again for the same head. */
  varying: readonly string[] = NONE;

  readonly #listsLength: boolean;
  readonly #heads: Remembered<T>[] = [];
  #bytes = 0;
  #recent = 0;
  /** By their hashes, one after the other, over and over. */
  readonly #came: number[] = [];
  #nextCame = 0;
  #values: string[] | undefined;
  /** The head that was found last as it was, with its varying values; most senders repeat it. */
  #last = NOTHING;
  #lastLength = 0;
  #lastValue: T | undefined;

  constructor({ listsLength }: { readonly listsLength: boolean }) {
    this.#listsLength = listsLength;
  }

  /** The whole head that begins there, if it is known. */
  find(bytes: Buffer, start: number): T | undefined {
    const end = start + this.#lastLength;
    if (
      this.#lastLength > 0 &&
      end <= bytes.length &&
      bytes.compare(this.#last, 0, this.#lastLength, start, end) === 0
    ) {
      this.end = end;
      return this.#lastValue;
    }
    this.#lastLength = 0;
    const value = this.#search(bytes, start);
    if (value !== undefined) this.#keep(bytes, start, value);
    return value;
  }

  #keep(bytes: Buffer, start: number, value: T): void {
    const length = this.end - start;
    if (length > MAX_REPEATED_BYTES) return;
    if (this.#last.length < length) this.#last = Buffer.allocUnsafeSlow(length + SPARE_BYTES);
    bytes.copy(this.#last, 0, start, this.end);
    this.#lastLength = length;
    this.#lastValue = value;
  }

  #search(bytes: Buffer, start: number): T | undefined {
    const heads = this.#heads;
    const { length } = heads;
    for (let i = 0, index = this.#recent; i < length; i++, index = index + 1 === length ? 0 : index + 1) {
      const head = heads[index] as Remembered<T>;
      const end = this.#match(head, bytes, start);
      if (end === NO_MATCH) continue;
      this.#recent = index;
      this.end = end;
      this.varying = this.#values ?? NONE;
      return head.value;
    }
    return undefined;
  }

  #match({ parts, names, maxVaryingBytes }: Remembered<T>, bytes: Buffer, start: number): number {
    this.length = undefined;
    this.#values = undefined;
    let left = maxVaryingBytes;
    let at = start;
    for (let i = 0; ; i++) {
      const part = parts[i] as Buffer;
      const partEnd = at + part.length;
      if (partEnd > bytes.length || bytes.compare(part, 0, part.length, at, partEnd) !== 0) return NO_MATCH;
      if (i === names.length) return partEnd;
      const name = names[i] as string;
      at = name === 'content-length' ? this.#readLength(bytes, partEnd) : this.#readValue(name, bytes, partEnd);
      left -= at - partEnd;
      if (at === NO_MATCH || left < 0) return NO_MATCH;
    }
  }

  /** Up to the first byte that is no digit; if that is not the end of the line, the next part does not fit. */
  #readLength(bytes: Buffer, start: number): number {
    let length = 0;
    let at = start;
    for (; ; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    if (at === start || at - start > MAX_LENGTH_DIGITS) return NO_MATCH;
    this.length = length;
    if (this.#listsLength) (this.#values ??= []).push('content-length', bytes.toString('latin1', start, at));
    return at;
  }

  #readValue(name: string, bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && IS_VALUE[bytes[at] as number] === 1) at++;
    if (at === start || bytes[at] !== CR || isBlank(bytes[start]) || isBlank(bytes[at - 1])) return NO_MATCH;
    (this.#values ??= []).push(name, bytes.toString('latin1', start, at));
    return at;
  }

  /**
   * Whether a head that is not known has come lately, but for its varying values. Only then is it worth its place: heads that
   * never come again, as those of somebody who tries keys, would only push out those that do.
   */
  comesAgain(bytes: Buffer, start: number, end: number, places: readonly ValuePlace[]): boolean {
    const hash = hashOf(bytes, start, end, places);
    if (this.#came.includes(hash)) return true;
    this.#came[this.#nextCame] = hash;
    this.#nextCame = (this.#nextCame + 1) % MAX_CAME;
    return false;
  }

  /** Remembers the head between `start` and `end`, in which the varying values stand at these places. */
  add(
    bytes: Buffer,
    start: number,
    end: number,
    places: readonly ValuePlace[],
    maxVaryingBytes: number,
    value: T,
  ): void {
    const own = Buffer.from(bytes.subarray(start, end));
    const cost = own.length + LINE_BYTES * countLines(own);
    if (cost > MAX_BYTES || places.some((place) => place.start === place.end)) return;
    const parts: Buffer[] = [];
    let at = 0;
    for (const place of places) {
      parts.push(own.subarray(at, place.start - start));
      at = place.end - start;
    }
    parts.push(own.subarray(at));
    const names = places.map(({ name }) => name);
    this.#bytes += cost;
    while (this.#heads.length >= MAX_HEADS || this.#bytes > MAX_BYTES) this.#bytes -= this.#heads.shift()?.bytes ?? 0;
    this.#recent = this.#heads.push({ value, parts, names, maxVaryingBytes, bytes: cost }) - 1;
  }
}

/** FNV-1a. What it is the same for by chance is remembered a little early, which harms nobody. */
function hashOf(bytes: Buffer, start: number, end: number, places: readonly ValuePlace[]): number {
  let hash = 0x811c9dc5;
  let at = start;
  for (let i = 0; i <= places.length; i++) {
    const place = places[i];
    const steadyEnd = place === undefined ? end : place.start;
    for (; at < steadyEnd; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    if (place !== undefined) at = place.end;
  }
  return hash;
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HTAB;
}
