import { createKeyText } from '../credential/key-text.ts';
import type { AuditQuery, StoredAuditEntry } from '../store/port.ts';
import type { KeyUsage } from '../store/usage-port.ts';
import { toAuditEntry } from './audit.ts';
import type { Actor, AuditEntry } from './audit.ts';
import { createExport } from './export.ts';
import { createImport } from './import.ts';
import type { ImportRequest } from './import.ts';
import { createKeyChanges } from './key-changes.ts';
import type { KeyChanges, KeyChangesOptions } from './key-changes.ts';
import { recentUsage } from './in-use.ts';
import type { KeyQuery } from './key-query.ts';
import { checkNewKey, createId, toRecord } from './new-key.ts';
import type { NewKey } from './new-key.ts';
import { checkNewOwner, findOwner, toOwnerRecord } from './new-owner.ts';
import type { NewOwner } from './new-owner.ts';
import { countOwned } from './owned-keys.ts';
import type { OwnedCount } from './owned-keys.ts';
import { readKeys } from './read-keys.ts';
import { KIND_NAMES } from './record.ts';
import type { KeyRecord, ManagedKind } from './record.ts';
import { createReveal } from './reveal.ts';
import type { RevealedKey } from './reveal.ts';
import { NO_SEALER, withSealed } from './seal.ts';
import type { Sealer } from './seal.ts';
import { KeyServiceError, notFound } from './service-error.ts';
import type { ExportPage, ExportQuery, ImportOutcome } from './transfer.ts';

/** The text of a key is known here, and nowhere afterwards, unless it is revealable. */
export interface CreatedKey {
  readonly record: KeyRecord;
  readonly text: string;
}

/** The only writer of keys and of their owners. Its methods throw a KeyServiceError for what the caller can mend, else the StoreError. */
export interface KeyService extends KeyChanges {
  create(key: NewKey, actor: Actor): Promise<CreatedKey>;
  /** The text of an ingestion key of a type that is declared revealable. Audited before it is given out. */
  reveal(id: string, actor: Actor): Promise<RevealedKey>;
  createOwner(owner: NewOwner, actor: Actor): Promise<KeyRecord>;
  /** The keys and tokens that work, but only while this owner does; undefined where there are too many to look through, or the store does not say. */
  ownedBy(ownerId: string): Promise<OwnedCount | undefined>;
  /** A key or an owner in whatever state, as long as it is remembered. */
  get(kind: ManagedKind, id: string): Promise<KeyRecord>;
  /** What became of each line, in their order. Audited, key by key. */
  import(request: ImportRequest, actor: Actor): Promise<ImportOutcome[]>;
  export(query: ExportQuery): Promise<ExportPage>;
  /** Without a query: the keys that were not revoked or replaced, by name; expired ones are among them. */
  list(kind: ManagedKind, query?: KeyQuery): Promise<KeyRecord[]>;
  /** What is known of the use of those of the keys that were ever used; the senders are those of the last hour. */
  usage(ids: readonly string[]): Promise<ReadonlyMap<string, KeyUsage>>;
  /** What was changed, newest first. */
  audit(query: AuditQuery): Promise<StoredAuditEntry[]>;
  /** Forgets the keys that have been dead for longer than tombstones are kept; returns how many. */
  prune(): Promise<number>;
}

export interface KeyServiceOptions extends Omit<KeyChangesOptions, 'audited' | 'get' | 'sealer'> {
  /** How long revoked and expired keys are remembered. */
  readonly tombstoneMs: number;
  /** Keeps copies of the texts of revealable keys; without it there are none. */
  readonly sealer?: Sealer;
  /** Hears of each change that was made; it is in the store already. */
  readonly audited?: (entry: AuditEntry) => void;
}

/** Enough against chance: an id clashes once in 2^48 / (number of keys) times. */
const MAX_ATTEMPTS = 5;

export function createKeyService(options: KeyServiceOptions): KeyService {
  const { store, digester, now, random, tombstoneMs, sealer = NO_SEALER, audited = () => {} } = options;

  async function create(key: NewKey, actor: Actor): Promise<CreatedKey> {
    const nowMs = now();
    checkNewKey(key, nowMs);
    const owner = key.owner === undefined ? undefined : await findOwner(store, key.owner, nowMs);
    return insert(nowMs, actor, () => {
      const text = createKeyText(key.kind, random);
      const birth = { id: createId(random), digest: digester(text).digest, nowMs, by: actor.name, owner };
      return { text, record: withSealed(toRecord(key, birth), text, sealer) };
    });
  }

  async function createOwner(owner: NewOwner, actor: Actor): Promise<KeyRecord> {
    const nowMs = now();
    checkNewOwner(owner);
    const { record } = await insert(nowMs, actor, () => ({
      record: toOwnerRecord(owner, { id: createId(random), nowMs, by: actor.name }),
    }));
    return record;
  }

  /** Draws until there is room for what was drawn. */
  async function insert<T extends { readonly record: KeyRecord }>(
    nowMs: number,
    actor: Actor,
    draw: () => T,
  ): Promise<T> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const drawn = draw();
      const { record } = drawn;
      const entry = toAuditEntry({ at: nowMs, actor, action: 'created', after: record });
      const outcome = await store.insert(record, nowMs, entry);
      switch (outcome) {
        case 'inserted':
          audited(entry);
          return drawn;
        case 'name_taken':
          throw new KeyServiceError(
            'name_taken',
            `There already is a live ${KIND_NAMES[record.kind]} named "${record.name}". Choose another name, or delete that one first.`,
          );
        case 'exists':
          break; // draw again
      }
    }
    throw new KeyServiceError('conflict', 'No free id was found. Try again.');
  }

  async function get(kind: ManagedKind, id: string): Promise<KeyRecord> {
    const record = await store.get(id);
    if (record?.kind !== kind) throw notFound(kind, id);
    return record;
  }

  return {
    ...createKeyChanges({ store, digester, now, random, sealer, audited, get }),
    create,
    reveal: createReveal({ store, sealer, now, audited, get }),
    createOwner,
    ownedBy: (ownerId) => countOwned(store, ownerId, now()),
    import: createImport({ store, digester, now, random, audited }),
    export: createExport({ store, now }),
    get,
    list: (kind, query = {}) => readKeys(store, kind, query, now()),
    async usage(ids) {
      const nowMs = now();
      const known = await store.usage.read(ids);
      return new Map([...known].map(([id, usage]) => [id, recentUsage(usage, nowMs)]));
    },
    audit: (query) => store.audit(query),
    prune: () => store.prune(now() - tombstoneMs),
  };
}
