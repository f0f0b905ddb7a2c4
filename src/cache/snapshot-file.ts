import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { keyRecordSchema, withoutSealed } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { FeedPosition } from '../store/port.ts';

/**
 * Known keys on disk, as JSON lines: a head, a line for each key, and a signature of all that stands before it. There are
 * digests in it and no key text; but whoever could write to it unnoticed could let a key in, hence the signature.
 */
export interface Snapshot {
  /** Which configured store the keys are of, in words that name no secret. */
  readonly origin: string;
  /** The place in the store's change feed that the keys are as new as, at least. */
  readonly position: FeedPosition & { readonly store: string };
  /** Milliseconds since the epoch, as is `checkedAt`. */
  readonly writtenAt: number;
  /** Those used last come last. */
  readonly keys: readonly SnapshotKey[];
}

export interface SnapshotKey {
  readonly record: KeyRecord;
  /** When the store was last asked for it. */
  readonly checkedAt: number;
}

export type SnapshotFault = 'unreadable' | 'torn' | 'signature' | 'version';

export type SnapshotReading =
  | { readonly outcome: 'read'; readonly snapshot: Snapshot }
  | { readonly outcome: 'absent' }
  /** `problem` says what is wrong and what to do. */
  | { readonly outcome: SnapshotFault; readonly problem: string };

const VERSION = 1;
/** Between two writes the event loop runs: a chunk takes about a millisecond to make. */
const KEYS_PER_CHUNK = 200;
const SIGNATURE_LINE = /\{"signature":"([0-9a-f]{64})"\}\n$/;
const SIGNATURE_LINE_BYTES = '{"signature":""}\n'.length + 64;
/** A record has bounded fields; this is far more than any of them takes. */
const MAX_BYTES_PER_KEY = 16_384;

/** Replaces the file in one step, so that there is always a whole one; only the owner may read it. */
export async function writeSnapshotFile(path: string, secret: string, snapshot: Snapshot): Promise<void> {
  const { keys, ...head } = snapshot;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}.tmp`;
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    const hmac = createHmac('sha256', secret);
    const write = async (text: string): Promise<void> => {
      const bytes = Buffer.from(text);
      hmac.update(bytes);
      await file.writeFile(bytes);
    };
    await write(toLine({ keygate: 'snapshot', version: VERSION, ...head, count: keys.length }));
    for (let i = 0; i < keys.length; i += KEYS_PER_CHUNK) {
      const chunk = keys.slice(i, i + KEYS_PER_CHUNK);
      await write(chunk.map((key) => toLine({ ...key, record: withoutSealed(key.record) })).join(''));
    }
    await file.writeFile(toLine({ signature: hmac.digest('hex') }));
    await file.sync();
    await file.close();
    await rename(unfinished, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
}

function toLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Reads a file of at most so many keys; nothing in it is looked at before its signature. */
export async function readSnapshotFile(path: string, secret: string, maxKeys: number): Promise<SnapshotReading> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > maxKeys * MAX_BYTES_PER_KEY) {
      return { outcome: 'unreadable', problem: `The file is too large for cache.maxKeys: ${size} bytes. Remove it.` };
    }
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { outcome: 'absent' };
    const problem = `The file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}. Make it readable.`;
    return { outcome: 'unreadable', problem };
  }
  const body = bytes.subarray(0, -SIGNATURE_LINE_BYTES);
  const signature = SIGNATURE_LINE.exec(bytes.subarray(-SIGNATURE_LINE_BYTES).toString('latin1'))?.[1];
  if (signature === undefined) {
    return { outcome: 'torn', problem: 'The file is not whole. It is replaced at the next write.' };
  }
  const expected = createHmac('sha256', secret).update(body).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    const problem =
      'The signature does not belong to the file: it was changed, or written with another cache.snapshot.secret. If the ' +
      'secret was not changed, find out who can write to it.';
    return { outcome: 'signature', problem };
  }
  const snapshot = parse(body.toString('utf8'));
  return snapshot === undefined
    ? { outcome: 'version', problem: 'Another version of Keygate wrote the file. It is replaced at the next write.' }
    : { outcome: 'read', snapshot };
}

/** We signed it, so whatever does not fit was written by a version with another idea of it. */
function parse(body: string): Snapshot | undefined {
  try {
    return parseLines(body);
  } catch {
    return undefined;
  }
}

function parseLines(body: string): Snapshot | undefined {
  const [head, ...lines] = body.trimEnd().split('\n');
  const { keygate, version, origin, position, writtenAt, count } = JSON.parse(head ?? '') as Record<string, unknown>;
  if (keygate !== 'snapshot' || version !== VERSION || count !== lines.length) return undefined;
  if (typeof origin !== 'string' || typeof writtenAt !== 'number' || !isPosition(position)) return undefined;
  const keys: SnapshotKey[] = [];
  for (const line of lines) {
    const { record, checkedAt } = JSON.parse(line) as Record<string, unknown>;
    const parsed = keyRecordSchema.safeParse(record);
    if (!parsed.success || typeof checkedAt !== 'number') return undefined;
    keys.push({ record: parsed.data, checkedAt });
  }
  return { origin, position, writtenAt, keys };
}

function isPosition(value: unknown): value is Snapshot['position'] {
  if (typeof value !== 'object' || value === null || !('store' in value) || !('change' in value)) return false;
  return typeof value.store === 'string' && Number.isSafeInteger(value.change);
}
