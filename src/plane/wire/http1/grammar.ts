/** The characters of HTTP/1.1, by byte (RFC 9110 sections 5.5 and 5.6, RFC 9112 sections 2 to 5). */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

/** Whether a byte may stand in a name of a field or method. */
export const IS_TOKEN = table((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));
/** Whether a byte may stand in a field's value: no control but HTAB; what is beyond ASCII passes as it is. */
export const IS_VALUE = table((byte) => byte === HTAB || (byte >= SP && byte !== 0x7f));
/** Whether a byte may stand in a request target, whose bytes nobody decodes here. */
export const IS_VISIBLE = table((byte) => byte > SP && byte < 0x7f);

function table(has: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (has(byte) ? 1 : 0));
}

export const CRLF = Buffer.from('\r\n');
/** The end of every head. */
export const EMPTY_LINE = Buffer.from('\r\n\r\n');

/** Lengths with more digits than this are taken for an attack on somebody's integers (RFC 9110 section 8.6). */
export const MAX_LENGTH_DIGITS = 15;

/** A value of Content-Length; undefined if it is not one plain number. */
export function readLength(value: string): number | undefined {
  return value.length <= MAX_LENGTH_DIGITS && /^[0-9]+$/.test(value) ? Number(value) : undefined;
}

/** Where the value of a field stands in the head that it was read from; never empty. */
export interface ValuePlace {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface FieldLines {
  /** Name, value, name, value, …: names in lower case, one character a byte. */
  readonly fields: readonly string[];
  /** Of each field, in the same order. */
  readonly places: readonly ValuePlace[];
}

/**
 * Reads field lines up to the empty line behind them, which is at `end - 2`. Nothing is mended: a space before the colon, a
 * folded line, a bare CR or LF, an empty name or a control character is read differently by different readers (RFC 9112
 * sections 2.2, 5.1 and 5.2), so there is no reading of it.
 */
export function readFieldLines(bytes: Buffer, start: number, end: number): FieldLines | undefined {
  const fields: string[] = [];
  const places: ValuePlace[] = [];
  const last = end - 2;
  for (let at = start; at < last;) {
    const nameStart = at;
    while (IS_TOKEN[bytes[at] as number] === 1) at++;
    if (at === nameStart || bytes[at] !== COLON) return undefined;
    const name = bytes.toString('latin1', nameStart, at).toLowerCase();
    at++;
    while (bytes[at] === SP || bytes[at] === HTAB) at++;
    const valueStart = at;
    while (IS_VALUE[bytes[at] as number] === 1) at++;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return undefined;
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    fields.push(name, bytes.toString('latin1', valueStart, valueEnd));
    places.push({ name, start: valueStart, end: valueEnd });
    at += 2;
  }
  return { fields, places };
}
