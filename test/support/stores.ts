import { createHash, randomInt } from 'node:crypto';
import { isKeyDigest, ownerDigest } from '../../src/credential/digest.ts';
import type { KeyDigest } from '../../src/credential/digest.ts';
import type { AuditEntry } from '../../src/keys/audit.ts';
import { isOwnerKind } from '../../src/keys/record.ts';
import type { KeyRecord, Owner } from '../../src/keys/record.ts';
import { parseCidr, parseOrigin } from '../../src/keys/scope.ts';
import type { Cidr, Origin, ScopeResult } from '../../src/keys/scope.ts';
import type { ChangeObserver, KeyStore } from '../../src/store/port.ts';
import { parseRedisUrl } from '../../src/store/redis/server.ts';
import type { RedisServer } from '../../src/store/redis/server.ts';
import { createRedisStore } from '../../src/store/redis/store.ts';
import type { RedisStoreOptions } from '../../src/store/redis/store.ts';

/** The digest of some key; the same text gives the same digest. */
export function digestOf(text: string): KeyDigest {
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  if (!isKeyDigest(digest)) throw new TypeError('a digest is not one');
  return digest;
}

/** Networks and origins as a record holds them; the test says them as people do. */
export const cidrs = (...texts: readonly string[]): Cidr[] => texts.map((text) => valueOf(parseCidr(text)));
export const origins = (...texts: readonly string[]): Origin[] => texts.map((text) => valueOf(parseOrigin(text)));

function valueOf<T>(result: ScopeResult<T>): T {
  if ('problem' in result) throw new TypeError(result.problem);
  return result.value;
}

/** A live ingestion key, with an id and a digest of its own. */
export function newRecord(fields: Partial<KeyRecord> = {}): KeyRecord {
  const id = String(randomInt(2 ** 47));
  return {
    id,
    kind: 'ingestion',
    name: `key ${id}`,
    digest: digestOf(id),
    state: 'active',
    createdAt: 1_000,
    createdBy: 'a test',
    revision: 1,
    ...fields,
  };
}

/** A live service id that may send. */
export function newOwner(fields: Partial<KeyRecord> = {}): KeyRecord {
  const record = newRecord({ kind: 'serviceId', roles: ['Sender'], ...fields });
  return { ...record, digest: ownerDigest(record.id) };
}

/** The same as its keys name it. */
export function asOwner({ id, kind, name }: KeyRecord): Owner {
  if (!isOwnerKind(kind)) throw new TypeError(`a ${kind} owns nothing`);
  return { id, kind, name };
}

/** Some entry of the audit log, for tests that are not about it. */
export const ENTRY: AuditEntry = {
  at: 1_000,
  actor: 'a test',
  via: 'gateway',
  action: 'created',
  kind: 'ingestion',
  id: '1',
  name: 'some key',
  before: {},
  after: {},
};

const INSERTS_AT_ONCE = 50;

/** Stores the records, so many at once that it is quick and none of them times out. */
export async function insertAll(store: KeyStore, records: readonly KeyRecord[], nowMs: number): Promise<void> {
  for (let i = 0; i < records.length; i += INSERTS_AT_ONCE) {
    await Promise.all(records.slice(i, i + INSERTS_AT_ONCE).map((record) => store.insert(record, nowMs, ENTRY)));
  }
}

/** The record after it was revoked. */
export function revoked(record: KeyRecord, revokedAt: number): KeyRecord {
  return { ...record, state: 'revoked', revokedAt, revokedBy: 'a test', revision: record.revision + 1 };
}

/** Two keys: one that retires at this instant, and the one that takes its place. */
export function succession(record: KeyRecord, retireAt: number, fields: Partial<KeyRecord> = {}) {
  const successor = newRecord({ name: record.name, kind: record.kind, ...fields });
  const predecessor = { ...record, replacedBy: successor.id, retireAt, revision: record.revision + 1 };
  return { predecessor, successor };
}

/** One Redis at this URL. */
export function serverAt(url: string): RedisServer {
  const { endpoint, login, database } = parseRedisUrl(url);
  return { whereabouts: { kind: 'standalone', endpoint }, login, database };
}

/** Timeouts for tests of what happens when Redis does not answer: nobody wants to wait for that. */
export const IMPATIENT = { commandTimeoutMs: 200, socketTimeoutMs: 1_000 };

/** A Redis store that waits as long as a busy machine may take: most tests are not about time. */
export function openRedisStore(server: string | RedisServer, options: Partial<RedisStoreOptions> = {}) {
  return createRedisStore({
    server: typeof server === 'string' ? serverAt(server) : server,
    prefix: 'test',
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 2_000,
    socketTimeoutMs: 3_000,
    ...options,
  });
}

/** Notes what a watch reports, and lets a test wait for it. */
export interface Witness extends ChangeObserver {
  readonly seen: readonly (KeyDigest | 'gap')[];
  /** Resolves once `count` reports have come in all. */
  until(count: number): Promise<readonly (KeyDigest | 'gap')[]>;
}

export function createWitness(): Witness {
  const seen: (KeyDigest | 'gap')[] = [];
  const waiting = new Set<() => void>();
  function note(what: KeyDigest | 'gap'): void {
    seen.push(what);
    for (const check of waiting) check();
  }
  return {
    seen,
    changed: note,
    gap: () => note('gap'),
    until: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (seen.length < count) return;
          waiting.delete(check);
          resolve([...seen]);
        };
        waiting.add(check);
        check();
      }),
  };
}
