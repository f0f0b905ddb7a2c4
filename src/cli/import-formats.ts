import { z } from 'zod';
import { CliError, EXIT } from './errors.ts';
import { readLines } from './lines.ts';
import type { Line } from './lines.ts';

/** What a file says of one key; or why that cannot be read. */
export type Entry = { readonly number: number; readonly endsAtByte: number } & (
  | { readonly value: object }
  | { readonly problem: string }
);

export type ImportFormat = 'keygate-keys' | 'text' | 'groundcover';

export const FORMAT = 'keygate-keys';
export const FORMAT_VERSION = 1;

/** The first line of a file. `trailer`: the last one says how many keys there are, so that a cut file is noticed. */
export interface Header {
  readonly format: typeof FORMAT;
  readonly version: typeof FORMAT_VERSION;
  readonly exportedAt?: string;
  readonly trailer?: boolean;
}

/** The last line. */
export interface Trailer {
  readonly format: typeof FORMAT;
  readonly keys: number;
}

/** The keys in a file, one by one. Throws a CliError for a file that is not of this format, or that was cut. */
export function readEntries(input: AsyncIterable<Uint8Array>, format: ImportFormat): AsyncIterable<Entry> {
  switch (format) {
    case 'keygate-keys':
      return readKeygateKeys(readLines(input));
    case 'text':
      return readText(readLines(input));
    case 'groundcover':
      return readGroundcover(input);
  }
}

const headerSchema = z.object({
  format: z.literal(FORMAT),
  version: z.number(),
  trailer: z.boolean().default(false),
});
const trailerSchema = z.object({ format: z.literal(FORMAT), keys: z.number() });

async function* readKeygateKeys(lines: AsyncIterable<Line>): AsyncGenerator<Entry> {
  let header: z.output<typeof headerSchema> | undefined;
  let trailer: z.output<typeof trailerSchema> | undefined;
  let keys = 0;
  for await (const line of lines) {
    if (header === undefined) {
      header = readHeader(line);
      continue;
    }
    if (trailer !== undefined) throw malformed(`line ${line.number} comes after the last line of an export`);
    const entry = toEntry(line);
    const found = header.trailer && 'value' in entry ? trailerSchema.safeParse(entry.value).data : undefined;
    if (found !== undefined) {
      trailer = found;
      continue;
    }
    keys++;
    yield entry;
  }
  if (header === undefined) throw malformed(`it is empty: its first line must be ${FIRST_LINE}`);
  if (header.trailer && trailer === undefined) {
    throw malformed(`it was cut: the last line of an export is missing. The ${keys} lines before the cut were read`);
  }
  if (trailer !== undefined && trailer.keys !== keys) {
    throw malformed(`lines are missing: it has ${keys} keys, and says that there are ${trailer.keys}`);
  }
}

const FIRST_LINE = JSON.stringify({ format: FORMAT, version: FORMAT_VERSION });

function readHeader(line: Line): z.output<typeof headerSchema> {
  const entry = toEntry(line);
  const parsed = 'value' in entry ? headerSchema.safeParse(entry.value) : undefined;
  if (!parsed?.success) {
    throw malformed(`its first line must be ${FIRST_LINE}. For keys of another system, see --format`);
  }
  const { version } = parsed.data;
  if (version !== FORMAT_VERSION) {
    throw malformed(
      `its version is ${version}, and this Keygate knows ${FORMAT_VERSION}. Use the Keygate it came from`,
    );
  }
  return parsed.data;
}

/** The parser's own words quote the line, which may hold a key, so they go nowhere. */
function toEntry(line: Line): Entry {
  const { number, endsAtByte } = line;
  if ('problem' in line) return line;
  const value = parseJson(line.text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { number, endsAtByte, value };
  return { number, endsAtByte, problem: 'is not a JSON object, or only a part of one' };
}

/** One key a line, and nothing that could be its name. */
async function* readText(lines: AsyncIterable<Line>): AsyncGenerator<Entry> {
  for await (const line of lines) {
    const { number, endsAtByte } = line;
    if ('problem' in line) yield line;
    else yield { number, endsAtByte, value: { key: line.text, name: `key-${number}` } };
  }
}

/** What groundcover's API lists is one JSON text, so it is read as a whole. */
const MAX_GROUNDCOVER_BYTES = 16 * 1024 * 1024;
const groundcoverKey = z.object({
  name: z.string(),
  key: z.string(),
  type: z.string().optional(),
  tags: z.array(z.string()).nullish(),
});

async function* readGroundcover(input: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > MAX_GROUNDCOVER_BYTES) throw malformed(`it has more than ${MAX_GROUNDCOVER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const list = parseJson(
    Buffer.concat(chunks)
      .toString('utf8')
      .replace(/^\uFEFF/, ''),
  );
  if (!Array.isArray(list)) throw malformed('it must be a JSON list of keys, each with name, key and type');
  for (const [index, item] of list.entries()) {
    const at = { number: index + 1, endsAtByte: size };
    const { data } = groundcoverKey.safeParse(item);
    if (data === undefined) {
      yield { ...at, problem: 'must have a name and a key' };
      continue;
    }
    const { tags, ...key } = data;
    yield { ...at, value: { ...key, ...(tags?.length && { tags }) } };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function malformed(why: string): CliError {
  return new CliError(`the file cannot be imported: ${why}`, { exitCode: EXIT.readFile });
}
