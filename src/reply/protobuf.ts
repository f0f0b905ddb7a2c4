/**
 * Protobuf as it is written here: the parts are texts with one character a byte, joined and made bytes at the very end. A refusal has some
 * thirty of them: as buffers they cost more than all the rest of it, and who tries keys gets thousands a second.
 */

export function toBuffer(content: string): Buffer {
  return Buffer.from(content, 'latin1');
}

export function text(field: number, value: string): string {
  const isAscii = Buffer.byteLength(value) === value.length;
  return bytes(field, isAscii ? value : Buffer.from(value, 'utf8').toString('latin1'));
}

export function bytes(field: number, value: string): string {
  return varint((field << 3) | 2) + varint(value.length) + value;
}

export function varintField(field: number, value: number): string {
  return varint(field << 3) + varint(value);
}

/** Non-negative integers below 2^31 only: lengths, codes and seconds. */
function varint(value: number): string {
  let out = '';
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out += String.fromCharCode((rest & 0x7f) | 0x80);
  return out + String.fromCharCode(rest);
}
