import { diedAt } from '../../keys/record.ts';
import type { KeyRecord } from '../../keys/record.ts';
import { StoreError } from '../port.ts';
import type { KeyStore, StoreObserver } from '../port.ts';
import { readFound, readRecord, readRecords, writeRecord } from '../record-json.ts';
import { openDatabase, transaction } from './database.ts';
import { toStoreError } from './faults.ts';
import { createFeed, MAX_CHANGES } from './feed.ts';

export interface SqliteStoreOptions {
  readonly path: string;
  /** How often the file is asked whether another process wrote to it. */
  readonly pollMs?: number;
  /** How long a write may wait, and with it this process, while another one writes. */
  readonly busyTimeoutMs?: number;
  readonly observe?: StoreObserver | undefined;
}

/** Keys in a file, for one machine: the gateway and the CLI may have it open at once. Creating the file makes it ours. */
export function createSqliteStore({ path, pollMs = 25, busyTimeoutMs = 100, observe }: SqliteStoreOptions): KeyStore {
  const database = openDatabase(path, busyTimeoutMs);
  const feed = createFeed({ database, path, pollMs, observe });
  let isClosed = false;

  const byDigest = database.prepare('SELECT id, json FROM records WHERE digest = ?');
  const byId = database.prepare('SELECT id, json, revision FROM records WHERE id = ?');
  const byKind = database.prepare('SELECT id, json FROM records WHERE kind = ?');
  const liveByName = database.prepare(
    "SELECT 1 FROM records WHERE kind = ? AND name = ? AND state != 'revoked' AND (died_at IS NULL OR died_at > ?)",
  );
  const insertRecord = database.prepare(
    'INSERT INTO records (id, kind, name, digest, state, died_at, revision, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)' +
      ' ON CONFLICT DO NOTHING',
  );
  const updateRecord = database.prepare(
    'UPDATE records SET state = ?, died_at = ?, revision = ?, json = ? WHERE id = ?',
  );
  const deleteDead = database.prepare('DELETE FROM records WHERE died_at < ?');
  const insertChange = database.prepare('INSERT INTO changes (digest) VALUES (?)');
  const trimChanges = database.prepare('DELETE FROM changes WHERE number <= ?');

  /** Async, so that faults become rejections; the work itself is done before it returns. */
  async function use<T>(work: () => T): Promise<T> {
    if (isClosed) throw new StoreError('unavailable', `The key store ${path} is closed.`);
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  /** One transaction; whoever watches has heard of it when it returns. */
  async function write<T>(steps: () => T): Promise<T> {
    return use(() => {
      const result = transaction(database, steps);
      feed.wrote();
      return result;
    });
  }

  function announce(record: KeyRecord): void {
    const { lastInsertRowid } = insertChange.run(record.digest);
    trimChanges.run(Number(lastInsertRowid) - MAX_CHANGES);
  }

  return {
    find: (digests) =>
      use(() => {
        for (const digest of digests) {
          const row = byDigest.get(digest);
          if (row) return readFound(digests, String(row['id']), String(row['json']));
        }
        return undefined;
      }),

    get: (id) =>
      use(() => {
        const row = byId.get(id);
        return row && readRecord(id, String(row['json']));
      }),

    list: (kind) =>
      use(() => {
        const rows = byKind.all(kind).map((row) => [String(row['id']), String(row['json'])] as const);
        return readRecords(rows, observe && ((error) => observe.unreadable(error)));
      }),

    insert: (record, nowMs) =>
      write(() => {
        if (liveByName.get(record.kind, record.name, nowMs)) return 'name_taken';
        const { id, kind, name, digest, state, revision } = record;
        const { changes } = insertRecord.run(
          id,
          kind,
          name,
          digest,
          state,
          diedAt(record) ?? null,
          revision,
          writeRecord(record),
        );
        if (changes === 0) return 'exists';
        announce(record);
        return 'inserted';
      }),

    replace: (record) =>
      write(() => {
        const row = byId.get(record.id);
        if (!row) return 'absent';
        if (row['revision'] !== record.revision - 1) return 'conflict';
        updateRecord.run(record.state, diedAt(record) ?? null, record.revision, writeRecord(record), record.id);
        announce(record);
        return 'replaced';
      }),

    // Not announced: a tombstone is refused before and after.
    prune: (beforeMs) => write(() => Number(deleteDead.run(beforeMs).changes)),

    watch: (observer) => use(() => feed.watch(observer)),

    ping: () => use(() => void byId.get('')),

    close: async () => {
      if (isClosed) return;
      isClosed = true;
      feed.close();
      database.close();
    },
  };
}
