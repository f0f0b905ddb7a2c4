import { randomBytes } from 'node:crypto';
import type { AuditEntry } from '../../keys/audit.ts';
import { diedAt } from '../../keys/record.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { KeyStore, StoredAuditEntry, StoreObserver } from '../port.ts';
import { corrupt, readEntries, readFound, readRecord, readRecords, writeRecord } from '../record-json.ts';
import { openConnection, retryDelayMs } from './connection.ts';
import { watchChanges } from './feed.ts';
import { createStoreIdentity } from './identity.ts';
import { createRedisReplicas } from './replicas.ts';
import { keyNames, STORE_FIELD } from './scripts.ts';
import type { WriteReply } from './scripts.ts';

export interface RedisStoreOptions {
  /** redis://[user:password@]host:port[/db], or rediss:// for TLS. */
  readonly url: string;
  /** The authorities, in PEM, that may sign the certificate of a rediss:// store; the system's if not given. */
  readonly ca?: string | undefined;
  readonly prefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly socketTimeoutMs: number;
  readonly observe?: StoreObserver | undefined;
}

const RECORDS_PER_SCAN = 500;
const ENTRIES_PER_READ = 500;

/**
 * Keys in Redis, shared by all gateways. Connects in the background: a gateway starts, and answers "cannot tell", while
 * Redis is away. In a database without keys `insert` makes a new store and `get` and `list` find nothing; all else, and
 * these too once this process has seen keys there, throw a StoreError('foreign').
 */
export function createRedisStore(options: RedisStoreOptions): KeyStore {
  const { url, ca, connectTimeoutMs, commandTimeoutMs, socketTimeoutMs, observe } = options;
  const address = { url, ca, connectTimeoutMs };
  const keys = keyNames(options.prefix);
  const allKeys = [keys.digests, keys.records, keys.names, keys.changes, keys.audit] as const;
  const identity = createStoreIdentity();
  const connection = openConnection({ ...address, name: 'keygate', commandTimeoutMs, socketTimeoutMs, retryDelayMs });
  connection.ready.catch(() => undefined); // the commands that follow say it

  const expectedStore = () => identity.expected ?? '';

  /** The outcome of a write, made certain that it was made to our store and nowhere else. */
  function outcomeOf<Outcome>([outcome, storeId]: WriteReply<Outcome>): Outcome {
    identity.verify(storeId);
    if (outcome === null) throw identity.mismatch();
    return outcome;
  }

  async function readAll(): Promise<KeyRecord[]> {
    const storeId = await connection.run((redis) => redis.hget(keys.records, STORE_FIELD));
    if (identity.isUnused(storeId)) return [];
    // A scan may give a record twice while others come and go.
    const stored = new Map<string, string>();
    let cursor = '0';
    do {
      const from = cursor;
      const [next, page] = await connection.run((redis) => redis.hscan(keys.records, from, 'COUNT', RECORDS_PER_SCAN));
      for (let i = 0; i + 1 < page.length; i += 2) stored.set(page[i] ?? '', page[i + 1] ?? '');
      cursor = next;
    } while (cursor !== '0');
    stored.delete(STORE_FIELD);
    return readRecords(stored, observe && ((error) => observe.unreadable(error)));
  }

  /** Entries older than the one with this cursor, newest first; empty at the end. */
  async function readAuditPage(before: string | undefined) {
    // Older servers know no exclusive ranges, so the one that is known already is asked for, and dropped.
    const entries = await connection.run((redis) =>
      redis.xrevrange(keys.audit, before ?? '+', '-', 'COUNT', ENTRIES_PER_READ + 1),
    );
    return entries
      .filter(([cursor]) => cursor !== before)
      .map(([cursor, [, keyId, , json = '']]) => ({ cursor, keyId, json }));
  }

  /** Whether the tombstone was forgotten by us, now. */
  async function forget(record: KeyRecord): Promise<boolean> {
    const reply = await connection.run((redis) =>
      redis.keygateForget(...allKeys, expectedStore(), record.id, record.digest, nameField(record), record.revision),
    );
    return outcomeOf(reply) === 'forgotten';
  }

  return {
    async find(digests) {
      const [storeId, id, json] = await connection.run((redis) =>
        redis.keygateFind(keys.digests, keys.records, ...digests),
      );
      identity.verify(storeId);
      if (id === null) return undefined;
      if (json === null) throw corrupt(id, 'it is gone, though its digest is still there');
      return readFound(digests, id, json);
    },

    async get(id) {
      const [storeId, json] = await connection.run((redis) => redis.hmget(keys.records, STORE_FIELD, id));
      if (identity.isUnused(storeId)) return undefined;
      return typeof json === 'string' ? readRecord(id, json) : undefined;
    },

    list: async (kind) => (await readAll()).filter((record) => record.kind === kind),

    async insert(record, nowMs, entry) {
      const newStoreId = randomBytes(16).toString('hex');
      const reply = await connection.run((redis) =>
        redis.keygateInsert(
          ...allKeys,
          expectedStore(),
          newStoreId,
          record.id,
          record.digest,
          nameField(record),
          writeRecord(record),
          nowMs,
          writeEntry(entry),
        ),
      );
      return outcomeOf(reply);
    },

    async replace(record, entry) {
      const freedName = record.state === 'revoked' ? nameField(record) : '';
      const reply = await connection.run((redis) =>
        redis.keygateReplace(
          ...allKeys,
          expectedStore(),
          record.id,
          record.digest,
          freedName,
          writeRecord(record),
          record.revision - 1,
          writeEntry(entry),
        ),
      );
      return outcomeOf(reply);
    },

    async succeed(predecessor, successor, _nowMs, [ofPredecessor, ofSuccessor]) {
      const reply = await connection.run((redis) =>
        redis.keygateSucceed(
          ...allKeys,
          expectedStore(),
          predecessor.id,
          predecessor.digest,
          writeRecord(predecessor),
          predecessor.revision - 1,
          successor.id,
          successor.digest,
          writeRecord(successor),
          nameField(predecessor),
          JSON.stringify(ofPredecessor),
          JSON.stringify(ofSuccessor),
        ),
      );
      return outcomeOf(reply);
    },

    async note(entry) {
      const reply = await connection.run((redis) =>
        redis.keygateNote(...allKeys, expectedStore(), entry.id, JSON.stringify(entry)),
      );
      outcomeOf(reply);
    },

    async audit({ limit, before, keyId }) {
      const storeId = await connection.run((redis) => redis.hget(keys.digests, STORE_FIELD));
      if (identity.isUnused(storeId)) return [];
      const found: StoredAuditEntry[] = [];
      let last = before;
      // Ends at the end of the log, which is bounded; only with a key does it take more than one page as a rule.
      for (;;) {
        const page = await readAuditPage(last);
        const wanted = page.filter((entry) => keyId === undefined || entry.keyId === keyId);
        const stored = wanted.map(({ cursor, json }) => [cursor, json] as const);
        found.push(...readEntries(stored, observe && ((error) => observe.unreadable(error))));
        last = page.at(-1)?.cursor;
        if (found.length >= limit || last === undefined) return found.slice(0, limit);
      }
    },

    forget,

    async prune(beforeMs) {
      let forgotten = 0;
      for (const record of await readAll()) {
        const death = diedAt(record);
        if (death !== undefined && death < beforeMs && (await forget(record))) forgotten++;
      }
      return forgotten;
    },

    watch: (observer) => watchChanges({ ...address, keys, observe }, observer),

    replicas: createRedisReplicas(connection, keys),

    async ping() {
      identity.verify(await connection.run((redis) => redis.hget(keys.digests, STORE_FIELD)));
    },

    close: () => connection.close(),
  };
}

function writeEntry(entry: AuditEntry | undefined): string {
  return entry === undefined ? '' : JSON.stringify(entry);
}

function nameField({ kind, name }: KeyRecord): string {
  return `${kind}:${name}`;
}
