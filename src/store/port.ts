import type { KeyDigest } from '../credential/digest.ts';
import type { AuditEntry } from '../keys/audit.ts';
import type { KeyKind, KeyRecord } from '../keys/record.ts';
import type { ReplicaStore } from './replica-port.ts';
import type { UsageStore } from './usage-port.ts';

/**
 * What Keygate needs of a key store. Every method either answers or throws a StoreError, in bounded time; "no such key"
 * is an answer, never an error, and an error is never "no such key". A record's id, kind, name and digest never change.
 */
export interface KeyStore {
  /** The record stored under the first of these digests that has one; without the sealed copy of its text. */
  find(digests: readonly KeyDigest[]): Promise<KeyRecord | undefined>;
  /** The whole record: the only method that gives the sealed copy of a text. */
  get(id: string): Promise<KeyRecord | undefined>;
  /** The record of this kind that has, or was the last to have, this name; it may be dead. */
  named(kind: KeyKind, name: string): Promise<KeyRecord | undefined>;
  /** All readable records of a kind, tombstones included, in no particular order; without sealed copies. */
  list(kind: KeyKind): Promise<KeyRecord[]>;
  /** The next readable records of a kind, tombstones included, by name and then by id, in the order of code points. */
  page(kind: KeyKind, query: PageQuery): Promise<KeyPage>;
  /**
   * Stores a new record unless it holds its name and a live one of the same kind has that already (`nowMs` decides what
   * is live), or any one has its id or its digest ('exists'). A live key that another one took the place of does not hold
   * its name any more. Only what concerns nobody comes without an entry for the audit log.
   */
  insert(record: KeyRecord, nowMs: number, entry: AuditEntry | undefined): Promise<InsertOutcome>;
  /**
   * Inserts each of these by itself, in this order, and says what became of each. For many records: one step may take as
   * many as suits the store, and after an error some may be stored. With `dryRun` none is; each is then compared with
   * what is stored, and not with those before it.
   */
  insertAll(
    additions: readonly Addition[],
    nowMs: number,
    options: { readonly dryRun: boolean },
  ): Promise<InsertOutcome[]>;
  /**
   * Replaces the record of the same id if its revision is still `record.revision - 1`. A conflict too if the record is to
   * hold its name while another one has it: it was dead for a while, and is not called back over that one's head.
   */
  replace(record: KeyRecord, entry: AuditEntry | undefined): Promise<'replaced' | 'conflict' | 'absent'>;
  /**
   * Forgets the record of this id if it still has this revision; whether it did. Watches are not told, so it must be
   * refused already.
   */
  forget(record: KeyRecord): Promise<boolean>;
  /**
   * Replaces `predecessor` as `replace` does and stores its successor, which takes over its name: both or neither. A
   * conflict too if another key has the name by now.
   */
  succeed(
    predecessor: KeyRecord,
    successor: KeyRecord,
    nowMs: number,
    entries: readonly [ofPredecessor: AuditEntry, ofSuccessor: AuditEntry],
  ): Promise<'succeeded' | 'conflict' | 'absent' | 'exists'>;
  /** Adds an entry about something that changes no record. */
  note(entry: AuditEntry): Promise<void>;
  /** The entries that came with the writes, newest first. The latest 100,000 are kept, at least. */
  audit(query: AuditQuery): Promise<StoredAuditEntry[]>;
  /** Forgets tombstones that died before this instant; returns how many. */
  prune(beforeMs: number): Promise<number>;
  /**
   * Reports each change made by anybody from now on, in order. A store that is away is waited for, not an error. With
   * `from` it reports those made since then too, before it resolves if the store can be reached; a gap, if that position
   * means nothing here any more. From then on only the store of that position is taken for ours.
   */
  watch(observer: ChangeObserver, from?: FeedPosition): Promise<Watch>;
  /** The gateways that share this store. */
  readonly replicas: ReplicaStore;
  /** What is known of the use of keys. It is forgotten with them. */
  readonly usage: UsageStore;
  /** Throws a StoreError unless the store answers and is ours. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Whether there still is a record with it does not matter. */
export interface PagePosition {
  readonly name: string;
  readonly id: string;
}

export interface PageQuery {
  /** Only records behind this position. */
  readonly after?: PagePosition | undefined;
  /** How many records are looked at; at most a thousand. */
  readonly limit: number;
}

export interface KeyPage {
  /** Fewer than the limit if some cannot be read. */
  readonly records: KeyRecord[];
  /** Where to read on from; absent at the end. */
  readonly next?: PagePosition | undefined;
}

export type InsertOutcome = 'inserted' | 'name_taken' | 'exists';

export interface Addition {
  readonly record: KeyRecord;
  readonly entry: AuditEntry;
}

export interface AuditQuery {
  readonly limit: number;
  /** Only entries older than the one with this cursor. */
  readonly before?: string | undefined;
  /** Only entries of the key with this id. */
  readonly keyId?: string | undefined;
}

export interface StoredAuditEntry {
  /** Where it is in the log, to go on reading from: digits, perhaps with a hyphen and more digits. */
  readonly cursor: string;
  readonly entry: AuditEntry;
}

export interface ChangeObserver {
  /** The record under this digest was created or changed. */
  changed(digest: KeyDigest): void;
  /** Changes may have been missed (the connection dropped, the feed was trimmed): nothing remembered is certain. */
  gap(): void;
  /** All that was changed up to so many milliseconds ago has been told; said again and again while nothing is missed. */
  current?(agoMs: number): void;
  /**
   * All changes up to this position have been told. `madeAt` holds when those told since the last call were made, in
   * microseconds by the clock of the store, as far as that is known.
   */
  applied?(position: FeedPosition, madeAt: readonly number[]): void;
  /** Somebody asks all who watch: see `ReplicaStore.ask`. */
  asked?(questionId: string, question: string): void;
}

/** Where a reader of the feed is: in which store (null where stores have no id), and after which change. */
export interface FeedPosition {
  readonly store: string | null;
  readonly change: number;
  /** The server's history of writes that it is in, where that has a name: in another one the numbers mean other changes. */
  readonly history?: string | undefined;
}

export interface Watch {
  /** Whether changes are being reported as they are made. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

/** What a store tells of itself besides its answers. */
export interface StoreObserver {
  /** The change feed is being read, or no longer is, and why. */
  feed(state: 'up' | 'down', cause?: StoreError): void;
  /** `list` left out this record, or `audit` this entry: it is there but cannot be read. */
  unreadable(error: StoreError): void;
  /**
   * What the server that was just connected to removes when its memory is full, in Redis' words; undefined if it does not
   * tell. Only Redis has such a thing.
   */
  evictionPolicy(policy: string | undefined): void;
}

/**
 * - unavailable: no connection, or the store refuses to serve (LOADING, READONLY, full)
 * - timeout: no answer in time
 * - foreign: it answers but it is not our store: empty after a flush, another database
 * - corrupt: the record is there but cannot be read; only this key is affected
 */
export type StoreFault = 'unavailable' | 'timeout' | 'foreign' | 'corrupt';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}
