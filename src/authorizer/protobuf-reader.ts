/** One field of a message; of those that are not read here only the number is known. */
export interface Field {
  readonly number: number;
  /** Of a text, of bytes, or of a message in the message. */
  readonly bytes: Buffer | undefined;
}

/** No number of a field is longer than a varint of 10 bytes. */
const MAX_VARINT_BYTES = 10;

/**
 * The fields of a protobuf message in their order; those of numeric kinds are skipped. Throws if the message is cut short, or is none:
 * whoever sent it speaks another protocol.
 */
export function* readFields(message: Buffer): Iterable<Field> {
  let at = 0;

  function varint(): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** (7 * i); // beyond 2^53 it is no length, and nothing that is read here
      if (byte < 0x80) return value;
    }
    throw new RangeError('a protobuf message is cut short');
  }

  function take(length: number): Buffer {
    const end = at + length;
    if (end > message.length) throw new RangeError('a protobuf message is cut short');
    const taken = message.subarray(at, end);
    at = end;
    return taken;
  }

  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        varint();
        yield { number, bytes: undefined };
        break;
      case 1:
        take(8);
        yield { number, bytes: undefined };
        break;
      case 2:
        yield { number, bytes: take(varint()) };
        break;
      case 5:
        take(4);
        yield { number, bytes: undefined };
        break;
      default:
        throw new RangeError('a protobuf message has a field of no known kind');
    }
  }
}
