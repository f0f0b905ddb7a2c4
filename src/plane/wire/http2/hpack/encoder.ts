import { STATIC_INDEX, STATIC_NAMES, STATIC_VALUES } from './tables.ts';

/** Writes header blocks that carry no state (RFC 7541 section 6): nothing enters a table, nothing but the static one is referred to. */

/** Begins the first block of a connection: our encoder's table has no room (RFC 7541 section 6.3). */
export const TABLE_SIZE_ZERO = Buffer.from([0x20]);

const WITHOUT_INDEXING = 0x00;
const NEVER_INDEXED = 0x10;

/** Of an integer whose prefix is full; five bytes say more than any length we write. */
const MAX_INTEGER_BYTES = 6;
/** Up to here a loop is faster than a call that leaves JavaScript. */
const LONGEST_LOOP = 48;
/** Blocks up to this size are composed in one place and copied from there. */
const SCRATCH = Buffer.allocUnsafeSlow(16_384);

export interface EncodeOptions {
  /** Also whoever relays it further is to index none of it (RFC 7541 section 6.2.3). */
  readonly neverIndexed?: boolean;
}

/**
 * A block with these fields: name, value, name, value, …, one character a byte, names in lower case. It is a buffer of its
 * own, so that whoever keeps it keeps nothing else.
 */
export function encodeFields(fields: readonly string[], options?: EncodeOptions): Buffer {
  const encoded = encodeForNow(fields, options);
  const block = Buffer.allocUnsafeSlow(encoded.length);
  block.set(encoded);
  return block;
}

/** The same for fields that are sent at once: the block is valid only until something else is encoded. */
export function encodeForNow(fields: readonly string[], options?: EncodeOptions): Buffer {
  const literal = options?.neverIndexed === true ? NEVER_INDEXED : WITHOUT_INDEXING;
  let longest = 0;
  for (let i = 0; i < fields.length; i++) longest += (fields[i] as string).length + MAX_INTEGER_BYTES + 1;
  const target = longest <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(longest);
  let at = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    at = writeField(target, at, fields[i] as string, fields[i + 1] as string, literal);
  }
  return target.subarray(0, at);
}

function writeField(target: Buffer, start: number, name: string, value: string, literal: number): number {
  const index = STATIC_INDEX.get(name);
  if (index === undefined) {
    target[start] = literal;
    return writeString(target, writeString(target, start + 1, name), value);
  }
  for (let i = index; STATIC_NAMES[i] === name; i++) {
    if (STATIC_VALUES[i] === value) return writeInteger(target, start, 0x80, 0x7f, i);
  }
  return writeString(target, writeInteger(target, start, literal, 0x0f, index), value);
}

function writeString(target: Buffer, start: number, text: string): number {
  const at = writeInteger(target, start, 0, 0x7f, text.length);
  if (text.length > LONGEST_LOOP) target.write(text, at, 'latin1');
  else for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** RFC 7541 section 5.1. */
function writeInteger(target: Buffer, start: number, form: number, mask: number, value: number): number {
  if (value < mask) {
    target[start] = form | value;
    return start + 1;
  }
  let at = start;
  target[at++] = form | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[at++] = (rest % 0x80) | 0x80;
  target[at++] = rest;
  return at;
}
