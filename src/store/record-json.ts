import type { KeyDigest } from '../credential/digest.ts';
import { auditEntrySchema } from '../keys/audit.ts';
import { keyRecordSchema, withoutSealed } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import { StoreError } from './port.ts';
import type { StoredAuditEntry } from './port.ts';

/** Records are stored as JSON. What comes back is checked: other programs and other versions can write to a store too. */
export function writeRecord(record: KeyRecord): string {
  return JSON.stringify(record);
}

/** Throws a StoreError('corrupt') that names the key and the fields at fault, never their values. */
export function readRecord(id: string, json: string): KeyRecord {
  const value = parseJson(json);
  if (value === undefined) throw corrupt(id, 'it is not JSON');
  const parsed = keyRecordSchema.safeParse(value);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole');
    throw corrupt(id, `at fault: ${[...new Set(fields)].join(', ')}`);
  }
  if (parsed.data.id !== id) throw corrupt(id, 'it says that it is the record of another key');
  return parsed.data;
}

/**
 * Like `readRecord`, for a record that was found under one of these digests: an index gone wrong must let nobody in. What
 * is found is remembered by gateways, who have no use for the sealed copy.
 */
export function readFound(digests: readonly KeyDigest[], id: string, json: string): KeyRecord {
  const record = readRecord(id, json);
  if (!digests.includes(record.digest)) throw corrupt(id, 'it has another digest than the one it was found under');
  return compact(withoutSealed(record));
}

/** The same in a sixth less of memory: as JSON gives it, an object has no room for what it may be given later. */
function compact(record: KeyRecord): KeyRecord {
  return JSON.parse(JSON.stringify(record)) as KeyRecord;
}

/** Keeps the records that can be read, without sealed copies; one that cannot be read must not hide the others. */
export function readRecords(
  stored: Iterable<readonly [id: string, json: string]>,
  unreadable: ((error: StoreError) => void) | undefined,
): KeyRecord[] {
  const records: KeyRecord[] = [];
  for (const [id, json] of stored) {
    try {
      records.push(withoutSealed(readRecord(id, json)));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      unreadable?.(error);
    }
  }
  return records;
}

/** The oldest are forgotten beyond these. */
export const MAX_AUDIT_ENTRIES = 100_000;

/** Keeps the audit entries that can be read, as `readRecords` does. */
export function readEntries(
  stored: Iterable<readonly [cursor: string, json: string]>,
  unreadable: ((error: StoreError) => void) | undefined,
): StoredAuditEntry[] {
  const entries: StoredAuditEntry[] = [];
  for (const [cursor, json] of stored) {
    const parsed = auditEntrySchema.safeParse(parseJson(json));
    if (parsed.success) entries.push({ cursor, entry: parsed.data });
    else unreadable?.(new StoreError('corrupt', `The audit entry ${cursor} cannot be read, and is left out.`));
  }
  return entries;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export function corrupt(id: string, what: string): StoreError {
  return new StoreError(
    'corrupt',
    `The stored record of key ${id} cannot be read: ${what}. Delete the key and create a new one.`,
  );
}
