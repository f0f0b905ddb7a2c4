import type { RawFields } from '../../credential/read.ts';

/** RFC 9113 section 6.5.2 counts each field as its name, its value and 32 bytes; we count the same for HTTP/1.1. */
const FIELD_OVERHEAD_BYTES = 32;

/** Counted here because Node's limits bind only after a client acknowledged them, or drop fields without a word. */
export function exceedsHeaderLimits(
  fields: RawFields,
  { maxHeaders, maxHeaderBytes }: { readonly maxHeaders: number; readonly maxHeaderBytes: number },
): boolean {
  if (fields.length / 2 > maxHeaders) return true;
  let bytes = (fields.length / 2) * FIELD_OVERHEAD_BYTES;
  for (const text of fields) bytes += text.length;
  return bytes > maxHeaderBytes;
}
