/**
 * Counts spans, data points, log records or samples in an OTLP request without decoding it: in all of them the items are
 * field 2 of field 2 of field 1 of the message (resource, scope, item), except that metrics are counted as metrics.
 */
const ITEM_PATH = [1, 2, 2] as const;

export function countItems(message: Buffer): number {
  return countAt(message, 0);
}

function countAt(message: Buffer, depth: number): number {
  const wanted = ITEM_PATH[depth];
  if (wanted === undefined) return 1;
  let count = 0;
  for (const { field, bytes } of lengthDelimited(message)) if (field === wanted) count += countAt(bytes, depth + 1);
  return count;
}

/** The length-delimited fields of a protobuf message; stops at the first byte that makes no sense. */
function* lengthDelimited(message: Buffer): Generator<{ field: number; bytes: Buffer }> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64 && at < message.length; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    switch (tag & 7) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      case 2: {
        const length = varint();
        if (at + length > message.length) return;
        yield { field: Math.floor(tag / 8), bytes: message.subarray(at, at + length) };
        at += length;
        break;
      }
      default:
        return;
    }
  }
}
