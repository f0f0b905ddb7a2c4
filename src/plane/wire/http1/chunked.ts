import type { Output } from '../output.ts';
import { COLON, CR, CRLF, IS_TOKEN, IS_VALUE, LF, SEMICOLON } from './grammar.ts';

/** A chunk is smaller than 4 GiB. */
const MAX_SIZE_DIGITS = 8;
/** Of one body, this much is dropped at most beside its chunks: extensions and trailers (CVE-2024-22019). */
const MAX_DROPPED_BYTES = 8 * 1_024;
/** RFC 9112 section 7.1.1, without the blanks that nobody has any use for: behind the first semicolon, up to the end of its line. */
const EXTENSIONS = /^(?:[^\s";=]+(?:=(?:[^\s";=]+|"(?:[^"\\]|\\.)*"))?(?:;(?!$)|$))+$/;
/** They would say where the body ends, where nobody may say that any more (RFC 9110 section 6.5.1). */
const NO_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'transfer-encoding']);
/** Up to here it costs less to move a chunk behind the one before it than to tell both. */
const MAX_MOVED_BYTES = 4 * 1_024;

type State =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'line'
  | 'trailer-name'
  | 'trailer-value'
  | 'trailer-lf'
  | 'last-lf';

/**
 * Takes a chunked body apart (RFC 9112 section 7.1), as strictly as it can be written: sizes in plain hexadecimal, every line
 * ended by CR and LF. Extensions and trailers are checked and dropped: nobody behind us could do anything with them but
 * read them in another way.
 */
export class ChunkedBody {
  /** Where the data that the last `read` found stand in what it read; there may be none. */
  start = 0;
  end = 0;
  isEnded = false;
  /** It is not what it should be, and so nobody knows where it ends. */
  isBroken = false;

  #state: State = 'size';
  #digits = 0;
  #left = 0;
  #dropped = 0;
  /** Of the line that is being dropped, as far as it matters. */
  #text = '';

  /**
   * Reads from there on, to the end of the body or of the bytes, or until it has found as much as can be told at once; returns
   * how far it came. Small chunks are moved together, in place.
   */
  read(bytes: Buffer, from: number): number {
    this.start = from;
    this.end = from;
    let at = from;
    while (at < bytes.length && !this.isEnded && !this.isBroken) {
      if (this.#state !== 'data') {
        this.#readFraming(bytes[at++] as number);
        continue;
      }
      const size = Math.min(this.#left, bytes.length - at);
      if (this.end === this.start) {
        this.start = at;
        this.end = at + size;
      } else if (size <= MAX_MOVED_BYTES) {
        bytes.copyWithin(this.end, at, at + size);
        this.end += size;
      } else {
        return at;
      }
      at += size;
      this.#left -= size;
      if (this.#left === 0) this.#state = 'data-cr';
    }
    return at;
  }

  #readFraming(byte: number): void {
    switch (this.#state) {
      case 'size':
        return this.#readSize(byte);
      case 'extension':
        if (byte === CR) return this.#expect(EXTENSIONS.test(this.#text), 'size-lf');
        this.#text += String.fromCharCode(byte);
        return this.#drop(IS_VALUE[byte] === 1);
      case 'size-lf':
        return this.#expect(byte === LF, this.#left === 0 ? 'line' : 'data');
      case 'data-cr':
        return this.#expect(byte === CR, 'data-lf');
      case 'data-lf':
        return this.#expect(byte === LF, 'size');
      case 'line':
        if (byte === CR) this.#state = 'last-lf';
        else this.#expect(IS_TOKEN[byte] === 1, 'trailer-name');
        this.#text = String.fromCharCode(byte);
        return;
      case 'trailer-name':
        if (byte === COLON) this.#expect(!NO_TRAILERS.has(this.#text.toLowerCase()), 'trailer-value');
        else this.#drop(IS_TOKEN[byte] === 1);
        this.#text += String.fromCharCode(byte);
        return;
      case 'trailer-value':
        if (byte === CR) this.#state = 'trailer-lf';
        else this.#drop(IS_VALUE[byte] === 1);
        return;
      case 'trailer-lf':
        this.#drop(true);
        return this.#expect(byte === LF, 'line');
      case 'last-lf':
        this.isEnded = byte === LF;
        this.isBroken = byte !== LF;
        return;
      case 'data':
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#left = this.#left * 16 + digit;
      this.isBroken = ++this.#digits > MAX_SIZE_DIGITS;
    } else if (this.#digits > 0 && (byte === CR || byte === SEMICOLON)) {
      this.#digits = 0;
      this.#text = '';
      this.#state = byte === CR ? 'size-lf' : 'extension';
    } else {
      this.isBroken = true;
    }
  }

  #expect(isThere: boolean, next: State): void {
    this.isBroken = !isThere;
    this.#state = next;
  }

  #drop(isLegal: boolean): void {
    this.isBroken = !isLegal || ++this.#dropped > MAX_DROPPED_BYTES;
  }
}

/** -1 if it is none. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Writes one chunk, unless it would be the last. */
export function writeChunk(out: Output, piece: Buffer): void {
  if (piece.length === 0) return;
  const size = `${piece.length.toString(16)}\r\n`;
  const offset = out.reserve(size.length);
  out.bytes.write(size, offset, 'latin1');
  out.append(piece);
  out.append(CRLF);
}

export function writeLastChunk(out: Output): void {
  out.append(LAST_CHUNK);
}
