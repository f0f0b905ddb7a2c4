import type { KeyDigest } from '../credential/digest.ts';
import { keyRecordSchema } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import { StoreError } from './port.ts';

/** Records are stored as JSON. What comes back is checked: other programs and other versions can write to a store too. */
export function writeRecord(record: KeyRecord): string {
  return JSON.stringify(record);
}

/** Throws a StoreError('corrupt') that names the key and the fields at fault, never their values. */
export function readRecord(id: string, json: string): KeyRecord {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw corrupt(id, 'it is not JSON');
  }
  const parsed = keyRecordSchema.safeParse(value);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole');
    throw corrupt(id, `at fault: ${[...new Set(fields)].join(', ')}`);
  }
  if (parsed.data.id !== id) throw corrupt(id, 'it says that it is the record of another key');
  return parsed.data;
}

/** Like `readRecord`, for a record that was found under one of these digests: an index gone wrong must let nobody in. */
export function readFound(digests: readonly KeyDigest[], id: string, json: string): KeyRecord {
  const record = readRecord(id, json);
  if (!digests.includes(record.digest)) throw corrupt(id, 'it has another digest than the one it was found under');
  return record;
}

/** Keeps the records that can be read; one that cannot must not hide the others. */
export function readRecords(
  stored: Iterable<readonly [id: string, json: string]>,
  unreadable: ((error: StoreError) => void) | undefined,
): KeyRecord[] {
  const records: KeyRecord[] = [];
  for (const [id, json] of stored) {
    try {
      records.push(readRecord(id, json));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      unreadable?.(error);
    }
  }
  return records;
}

export function corrupt(id: string, what: string): StoreError {
  return new StoreError(
    'corrupt',
    `The stored record of key ${id} cannot be read: ${what}. Delete the key and create a new one.`,
  );
}
