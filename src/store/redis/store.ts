import { randomBytes } from 'node:crypto';
import type { AuditEntry } from '../../keys/audit.ts';
import { holdsName } from '../../keys/record.ts';
import type { KeyKind, KeyRecord } from '../../keys/record.ts';
import { StoreError } from '../port.ts';
import type { ChangeObserver, InsertOutcome, KeyStore, StoredAuditEntry, StoreObserver } from '../port.ts';
import { pageOf } from '../page-of.ts';
import { corrupt, readEntries, readFound, readRecord, readRecords, writeRecord } from '../record-json.ts';
import { openConnection, retryDelayMs } from './connection.ts';
import { watchChanges } from './feed.ts';
import { createStoreIdentity } from './identity.ts';
import { createIndexes } from './indexes.ts';
import { createRedisReplicas } from './replicas.ts';
import { keyNames, keysOfWriters, STORE_FIELD } from './scripts.ts';
import type { RedisServer } from './server.ts';
import { createRedisUsage } from './usage.ts';
import { openWriter } from './writer.ts';

export interface RedisStoreOptions {
  readonly server: RedisServer;
  readonly prefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly socketTimeoutMs: number;
  /** How many replicas have to confirm a change before it counts as made. */
  readonly minReplicas?: number | undefined;
  readonly observe?: StoreObserver | undefined;
}

const ENTRIES_PER_READ = 500;
/** The id of no record: asked for to hear whether the store is ours at all. */
const NOBODY = '-';
/** So many are answered well within the timeout of one. */
const INSERTS_UNDER_WAY = 50;

/**
 * Keys in Redis, shared by all gateways. Connects in the background: a gateway starts, and answers "cannot tell", while
 * Redis is away. In a database without keys `insert` makes a new store and `get`, `list` and `page` find nothing; all else,
 * and these too once this process has seen keys there, throw a StoreError('foreign').
 */
export function createRedisStore(options: RedisStoreOptions): KeyStore {
  const { server, prefix, connectTimeoutMs, commandTimeoutMs, socketTimeoutMs, observe } = options;
  const address = { server, prefix, connectTimeoutMs };
  const keys = keyNames(prefix);
  const allKeys = keysOfWriters(keys);
  const identity = createStoreIdentity();
  const connecting = { ...address, name: 'keygate', commandTimeoutMs, socketTimeoutMs, retryDelayMs };
  /** The history of writes of the server that is asked. */
  let history: string | undefined;
  const connection = openConnection({
    ...connecting,
    met({ evictionPolicy, history: itsHistory }) {
      history = itsHistory;
      observe?.evictionPolicy(evictionPolicy);
    },
  });
  const writer = openWriter(connection, connecting, options.minReplicas ?? 0);
  connection.ready.catch(() => undefined); // the commands that follow say it

  const indexes = createIndexes({ connection, keys, identity });
  /** The last change that the feed has told of. */
  let told = 0;

  const expectedStore = () => identity.expected ?? '';
  const readable = (stored: Iterable<readonly [id: string, json: string]>) =>
    readRecords(stored, observe && ((error) => observe.unreadable(error)));

  async function get(id: string): Promise<KeyRecord | undefined> {
    const [storeId, json] = await connection.run((redis) => redis.hmget(keys.records, STORE_FIELD, id));
    if (identity.isUnused(storeId)) return undefined;
    return typeof json === 'string' ? readRecord(id, json) : undefined;
  }

  async function readAll(kind: KeyKind): Promise<KeyRecord[]> {
    const storeId = await connection.run((redis) => redis.hget(keys.records, STORE_FIELD));
    if (identity.isUnused(storeId)) return [];
    const found = new Map<string, KeyRecord>();
    for await (const stored of indexes.scan()) {
      for (const record of readable(stored)) if (record.kind === kind) found.set(record.id, record);
    }
    return [...found.values()];
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

  async function callInsert(record: KeyRecord, nowMs: number, entry: AuditEntry | undefined, dryRun: boolean) {
    const newStoreId = randomBytes(16).toString('hex');
    return writer.write((redis) =>
      redis.keygateInsert(
        ...allKeys,
        expectedStore(),
        newStoreId,
        record.id,
        record.digest,
        holdsName(record, nowMs) ? nameField(record) : '',
        writeRecord(record),
        nowMs,
        writeEntry(entry),
        dryRun ? 'dry' : '',
      ),
    );
  }

  return {
    async find(digests) {
      const atLeast = told;
      const [storeId, changes, id, json] = await connection.run((redis) =>
        redis.keygateFind(keys.digests, keys.records, ...digests),
      );
      identity.verify(storeId);
      if (Number(changes) < atLeast) {
        connection.reconnect();
        throw behindFeed();
      }
      if (id === null) return undefined;
      if (json === null) throw corrupt(id, 'it is gone, though its digest is still there');
      return readFound(digests, id, json);
    },

    get,

    async named(kind, name) {
      const id = await connection.run((redis) => redis.hget(keys.names, nameField({ kind, name })));
      const record = await get(id ?? NOBODY);
      return record?.kind === kind && record.name === name ? record : undefined;
    },

    list: readAll,

    async page(kind, query) {
      const page = await indexes.page(kind, query);
      if (page !== undefined) return { records: readable(page.records), next: page.next };
      return pageOf(await readAll(kind), query);
    },

    insert: async (record, nowMs, entry) => identity.outcomeOf(await callInsert(record, nowMs, entry, false)),

    async insertAll(additions, nowMs, { dryRun }) {
      const outcomes: InsertOutcome[] = [];
      for (let i = 0; i < additions.length; i += INSERTS_UNDER_WAY) {
        const some = additions.slice(i, i + INSERTS_UNDER_WAY);
        // One connection, so they are done in this order.
        const replies = await Promise.all(some.map(({ record, entry }) => callInsert(record, nowMs, entry, dryRun)));
        for (const reply of replies) {
          const [outcome, storeId] = reply;
          const wouldBeFirst = dryRun && outcome !== null && identity.isUnused(storeId);
          outcomes.push(wouldBeFirst ? outcome : identity.outcomeOf(reply));
        }
      }
      return outcomes;
    },

    async replace(record, entry) {
      const reply = await writer.write((redis) =>
        redis.keygateReplace(
          ...allKeys,
          expectedStore(),
          record.id,
          record.digest,
          nameField(record),
          writeRecord(record),
          record.revision - 1,
          writeEntry(entry),
          useOfName(record),
        ),
      );
      return identity.outcomeOf(reply);
    },

    async succeed(predecessor, successor, _nowMs, [ofPredecessor, ofSuccessor]) {
      const reply = await writer.write((redis) =>
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
      return identity.outcomeOf(reply);
    },

    async note(entry) {
      const reply = await writer.write((redis) =>
        redis.keygateNote(...allKeys, expectedStore(), entry.id, JSON.stringify(entry)),
      );
      identity.outcomeOf(reply);
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

    async forget({ id, revision }) {
      const reply = await connection.run((redis) => redis.keygateForget(...allKeys, expectedStore(), id, revision));
      return identity.outcomeOf(reply) === 'forgotten';
    },

    prune: (beforeMs) => indexes.prune(beforeMs),

    watch(observer, from) {
      if (typeof from?.store === 'string') identity.expect(from.store);
      const noting: ChangeObserver = {
        ...observer,
        applied(position, madeAt) {
          told = position.change;
          observer.applied?.(position, madeAt);
        },
      };
      // What was asked of the server that the feed has left says nothing of the one where it goes on.
      const moved = (to: string | undefined) => to !== history && connection.reconnect();
      return watchChanges({ ...address, keys, observe, from, moved }, noting);
    },

    replicas: createRedisReplicas(connection, keys),
    usage: createRedisUsage({ connection, keys, identity }),

    async ping() {
      identity.verify(await connection.run((redis) => redis.hget(keys.digests, STORE_FIELD)));
    },

    async close() {
      await Promise.all([connection.close(), writer.close()]);
    },
  };
}

/**
 * After a failover the feed and the lookups may be connected to two servers, one of which lags behind: a replica now, or
 * cut off. What it says of a key may be what the feed has ended already, and nothing would end it a second time.
 */
function behindFeed(): StoreError {
  return new StoreError(
    'unavailable',
    'The key store (Redis) that was asked lacks changes that the change feed has told of: it was the primary once, or is a ' +
      'replica. It is connected to anew.',
  );
}

function writeEntry(entry: AuditEntry | undefined): string {
  return entry === undefined ? '' : JSON.stringify(entry);
}

/** What becomes of the name of a record that is replaced by this one. */
function useOfName({ state, replacedBy }: KeyRecord): 'held' | 'freed' | 'given' {
  if (state === 'revoked') return 'freed';
  return replacedBy === undefined ? 'held' : 'given';
}

function nameField({ kind, name }: Pick<KeyRecord, 'kind' | 'name'>): string {
  return `${kind}:${name}`;
}
