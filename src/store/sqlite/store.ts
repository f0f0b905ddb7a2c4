import type { SQLOutputValue } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import type { AuditEntry } from '../../keys/audit.ts';
import { diedAt, holdsName } from '../../keys/record.ts';
import type { KeyKind, KeyRecord } from '../../keys/record.ts';
import { StoreError } from '../port.ts';
import type { InsertOutcome, KeyPage, KeyStore, PagePosition, PageQuery, StoreObserver } from '../port.ts';
import { MAX_AUDIT_ENTRIES, readEntries, readFound, readRecord, readRecords, writeRecord } from '../record-json.ts';
import { openDatabase, STORE_TIME, transaction } from './database.ts';
import { toStoreError } from './faults.ts';
import { createFeed, MAX_CHANGES } from './feed.ts';
import { createSqliteReplicas } from './replicas.ts';
import { createSqliteUsage } from './usage.ts';

export interface SqliteStoreOptions {
  readonly path: string;
  /** How often the file is asked whether another process wrote to it. */
  readonly pollMs?: number;
  /** How long a write may wait, and with it this process, while another one writes. */
  readonly busyTimeoutMs?: number;
  readonly observe?: StoreObserver | undefined;
}

const TOMBSTONES_PER_STEP = 500;
const RECORDS_PER_STEP = 250;

/** Keys in a file, for one machine: the gateway and the CLI may have it open at once. Creating the file makes it ours. */
export function createSqliteStore({ path, pollMs = 25, busyTimeoutMs = 100, observe }: SqliteStoreOptions): KeyStore {
  const database = openDatabase(path, busyTimeoutMs);
  const feed = createFeed({ database, path, pollMs, observe });
  let isClosed = false;

  const byDigest = database.prepare('SELECT id, json FROM records WHERE digest = ?');
  const byId = database.prepare('SELECT id, json, revision FROM records WHERE id = ?');
  const pageByName = database.prepare(
    'SELECT id, name, json FROM records WHERE kind = ? AND (name, id) > (?, ?) ORDER BY name, id LIMIT ?',
  );
  const otherHolder = database.prepare(
    "SELECT id FROM records WHERE kind = ? AND name = ? AND state != 'revoked' AND (died_at IS NULL OR died_at > ?)" +
      " AND json_extract(json, '$.replacedBy') IS NULL AND id != ?",
  );
  const newestOfName = database.prepare(
    'SELECT id, json FROM records WHERE kind = ? AND name = ? ORDER BY rowid DESC LIMIT 1',
  );
  const insertRecord = database.prepare(
    'INSERT INTO records (id, kind, name, digest, state, died_at, revision, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)' +
      ' ON CONFLICT DO NOTHING',
  );
  const updateRecord = database.prepare(
    'UPDATE records SET state = ?, died_at = ?, revision = ?, json = ? WHERE id = ?',
  );
  const deleteDead = database.prepare(
    'DELETE FROM records WHERE id IN (SELECT id FROM records WHERE died_at < ? LIMIT ?)',
  );
  const deleteRecord = database.prepare('DELETE FROM records WHERE id = ? AND revision = ?');
  const insertChange = database.prepare(`INSERT INTO changes (digest, at) VALUES (?, ${STORE_TIME})`);
  const trimChanges = database.prepare('DELETE FROM changes WHERE number <= ?');
  const insertEntry = database.prepare('INSERT INTO audit (key_id, json) VALUES (?, ?)');
  const trimEntries = database.prepare('DELETE FROM audit WHERE number <= ?');
  const newestEntries = database.prepare(
    'SELECT number, json FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?',
  );
  const newestEntriesOfKey = database.prepare(
    'SELECT number, json FROM audit WHERE key_id = ? AND number < ? ORDER BY number DESC LIMIT ?',
  );

  /** Async, so that faults become rejections; the work itself is done before it returns. */
  async function use<T>(work: () => T): Promise<T> {
    if (isClosed) throw new StoreError('unavailable', `The key store ${path} is closed.`);
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, path);
    }
  }

  const replicas = createSqliteReplicas({ path, use });

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

  function audit(entry: AuditEntry | undefined): void {
    if (entry === undefined) return;
    const { lastInsertRowid } = insertEntry.run(entry.id, JSON.stringify(entry));
    trimEntries.run(Number(lastInsertRowid) - MAX_AUDIT_ENTRIES);
  }

  function readable(rows: readonly Record<string, SQLOutputValue>[]): KeyRecord[] {
    const stored = rows.map((row) => [String(row['id']), String(row['json'])] as const);
    return readRecords(stored, observe && ((error) => observe.unreadable(error)));
  }

  function page(kind: KeyKind, { after, limit }: PageQuery): Promise<KeyPage> {
    return use(() => {
      const rows = pageByName.all(kind, after?.name ?? '', after?.id ?? '', limit);
      const last = rows.length < limit ? undefined : rows.at(-1);
      const next = last && { name: String(last['name']), id: String(last['id']) };
      return { records: readable(rows), next };
    });
  }

  /** Whether another record has the name of this one. */
  function isHeldByOther({ id, kind, name }: KeyRecord, nowMs: number): boolean {
    return otherHolder.get(kind, name, nowMs, id) !== undefined;
  }

  /** Whether there was room for it. */
  function add(record: KeyRecord): boolean {
    const { id, kind, name, digest, state, revision } = record;
    const died = diedAt(record) ?? null;
    return insertRecord.run(id, kind, name, digest, state, died, revision, writeRecord(record)).changes > 0;
  }

  function obstacleTo(record: KeyRecord, nowMs: number): 'name_taken' | 'exists' | undefined {
    if (holdsName(record, nowMs) && isHeldByOther(record, nowMs)) return 'name_taken';
    return byId.get(record.id) || byDigest.get(record.digest) ? 'exists' : undefined;
  }

  function insert(record: KeyRecord, nowMs: number, entry: AuditEntry | undefined): InsertOutcome {
    const obstacle = obstacleTo(record, nowMs);
    if (obstacle !== undefined) return obstacle;
    add(record);
    announce(record);
    audit(entry);
    return 'inserted';
  }

  function put(record: KeyRecord): void {
    updateRecord.run(record.state, diedAt(record) ?? null, record.revision, writeRecord(record), record.id);
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

    named: (kind, name) =>
      use(() => {
        const row = newestOfName.get(kind, name);
        return row && readRecord(String(row['id']), String(row['json']));
      }),

    // Some at a time, as requests wait meanwhile: a record takes longer to check than to read.
    async list(kind) {
      const records: KeyRecord[] = [];
      for (let after: PagePosition | undefined; ; await immediate()) {
        const { records: some, next } = await page(kind, { after, limit: RECORDS_PER_STEP });
        records.push(...some);
        if (next === undefined) return records;
        after = next;
      }
    },

    page,

    insert: (record, nowMs, entry) => write(() => insert(record, nowMs, entry)),

    // One transaction: each commit waits for the disk.
    insertAll: (additions, nowMs, { dryRun }) =>
      dryRun
        ? use(() => additions.map(({ record }) => obstacleTo(record, nowMs) ?? 'inserted'))
        : write(() => additions.map(({ record, entry }) => insert(record, nowMs, entry))),

    replace: (record, entry) =>
      write(() => {
        const row = byId.get(record.id);
        if (!row) return 'absent';
        if (row['revision'] !== record.revision - 1) return 'conflict';
        const isHolding = record.state !== 'revoked' && record.replacedBy === undefined;
        if (isHolding && isHeldByOther(record, entry?.at ?? 0)) return 'conflict';
        put(record);
        announce(record);
        audit(entry);
        return 'replaced';
      }),

    succeed: (predecessor, successor, nowMs, entries) =>
      write(() => {
        const row = byId.get(predecessor.id);
        if (!row) return 'absent';
        if (row['revision'] !== predecessor.revision - 1 || isHeldByOther(predecessor, nowMs)) return 'conflict';
        if (!add(successor)) return 'exists';
        put(predecessor);
        announce(predecessor);
        announce(successor);
        entries.forEach(audit);
        return 'succeeded';
      }),

    forget: (record) => write(() => deleteRecord.run(record.id, record.revision).changes > 0),

    note: (entry) => write(() => audit(entry)),

    audit: ({ limit, before, keyId }) =>
      use(() => {
        const end = before === undefined ? Number.MAX_SAFE_INTEGER : Number.parseInt(before, 10);
        const rows = keyId === undefined ? newestEntries.all(end, limit) : newestEntriesOfKey.all(keyId, end, limit);
        const stored = rows.map((row) => [String(row['number']), String(row['json'])] as const);
        return readEntries(stored, observe && ((error) => observe.unreadable(error)));
      }),

    // Not announced: a tombstone is refused before and after. Some at a time, as nothing else is done meanwhile.
    async prune(beforeMs) {
      for (let total = 0; ; await immediate()) {
        const forgotten = await write(() => Number(deleteDead.run(beforeMs, TOMBSTONES_PER_STEP).changes));
        total += forgotten;
        if (forgotten < TOMBSTONES_PER_STEP) return total;
      }
    },

    watch: (observer, from) => use(() => feed.watch(observer, from)),

    replicas,
    usage: createSqliteUsage({ database, use }),

    ping: () => use(() => void byId.get('')),

    close: async () => {
      if (isClosed) return;
      isClosed = true;
      feed.close();
      replicas.close();
      database.close();
    },
  };
}
