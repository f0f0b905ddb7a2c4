/** One line of a file, without its end; or why it cannot be read. */
export type Line = { readonly number: number; readonly endsAtByte: number } & (
  | { readonly text: string }
  | { readonly problem: string }
);

/** The bytes of one line that are kept at once. Names, descriptions and scopes at their largest fit well into it. */
export const MAX_LINE_BYTES = 48 * 1024;

const NEWLINE = 0x0a;

/**
 * The lines of a file of any size, in the memory of one line. Blank ones are left out but counted, as an editor counts
 * them. A byte order mark at the start and CR before LF are what some editors leave behind, and mean nothing.
 */
export async function* readLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0;
  let endsAtByte = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  function take(end: Uint8Array): Line | undefined {
    number++;
    endsAtByte += end.length;
    const bytes = heldBytes + end.length;
    const line = bytes > MAX_LINE_BYTES ? undefined : Buffer.concat([...held, end]);
    held = [];
    heldBytes = 0;
    const at = { number, endsAtByte };
    if (line === undefined) return { ...at, problem: `is longer than ${MAX_LINE_BYTES} bytes` };
    const text = decode(line);
    if (text === undefined) return { ...at, problem: 'is not UTF-8 text' };
    const plain = (number === 1 ? text.replace(/^\uFEFF/, '') : text).trim();
    return plain === '' ? undefined : { ...at, text: plain };
  }

  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = take(chunk.subarray(start, end + 1));
      if (line !== undefined) yield line;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    // Of a line that is too long only its length is of interest.
    if (heldBytes <= MAX_LINE_BYTES) held.push(rest);
    else held = [];
    heldBytes += rest.length;
    endsAtByte += rest.length;
  }
  const last = heldBytes > 0 ? take(new Uint8Array()) : undefined;
  if (last !== undefined) yield last;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
