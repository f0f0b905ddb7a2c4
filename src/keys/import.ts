import { isOwnerDigest, ownerDigest } from '../credential/digest.ts';
import type { Digester, KeyDigest } from '../credential/digest.ts';
import type { Random } from '../credential/key-text.ts';
import { StoreError } from '../store/port.ts';
import type { Addition, InsertOutcome, KeyStore } from '../store/port.ts';
import { toAuditEntry } from './audit.ts';
import type { Actor, AuditEntry } from './audit.ts';
import { checkNewKey, createId, toRecord } from './new-key.ts';
import { checkNewOwner } from './new-owner.ts';
import { isPlainText } from './plain-text.ts';
import { isLive, isOwnerKind, KIND_NAMES } from './record.ts';
import type { KeyRecord, Owner } from './record.ts';
import { KeyServiceError } from './service-error.ts';
import { readForeignKey, readTransferred, TRANSFERRED_KINDS } from './transfer.ts';
import type { ForeignKey, ImportOutcome, LineResult } from './transfer.ts';

export interface ImportRequest {
  /** Records, or keys of other systems; each is judged by itself. */
  readonly lines: readonly unknown[];
  /** Says what would become of them, and changes nothing. */
  readonly dryRun: boolean;
  /** Why this caller may not import this one; undefined if it may. */
  readonly refusal: (record: KeyRecord) => string | undefined;
}

export interface ImportOptions {
  readonly store: KeyStore;
  readonly digester: Digester;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: Random;
  readonly audited: (entry: AuditEntry) => void;
}

interface Candidate {
  readonly index: number;
  readonly record: KeyRecord;
  /** A key of another system, which has no id of its own to be known by. */
  readonly foreign?: ForeignKey;
}

/**
 * Puts records into the store as they are. What is there already with the same id and digest is left alone, so the same
 * lines can be imported any number of times; nothing is ever overwritten.
 */
export function createImport({ store, digester, now, random, audited }: ImportOptions) {
  const schemes = schemesOf(digester);

  async function importLines({ lines, dryRun, refusal }: ImportRequest, actor: Actor): Promise<ImportOutcome[]> {
    const nowMs = now();
    const outcomes: ImportOutcome[] = [];
    const candidates: Candidate[] = [];
    for (const [index, line] of lines.entries()) {
      try {
        const { record, foreign } = await toCandidate(line, nowMs, actor);
        const stored = foreign && (await findStored(record, foreign));
        const fault = faultOf(record) ?? refusal(record);
        if (fault !== undefined) outcomes[index] = refuse(record.name, fault);
        else if (stored !== undefined) outcomes[index] = compare(record, stored, true);
        else candidates.push({ index, record, ...(foreign && { foreign }) });
      } catch (error) {
        outcomes[index] = refuse(nameIn(line), reasonOf(error));
      }
    }

    async function insert(some: readonly Candidate[]): Promise<void> {
      const additions = some.map(({ record }): Addition => {
        return { record, entry: toAuditEntry({ at: nowMs, actor, action: 'imported', after: record }) };
      });
      const inserted = additions.length === 0 ? [] : await store.insertAll(additions, nowMs, { dryRun });
      for (const [i, candidate] of some.entries()) {
        const entry = additions[i]?.entry;
        if (inserted[i] === 'inserted' && entry !== undefined && !dryRun) audited(entry);
        outcomes[candidate.index] = await explain(candidate, inserted[i]);
      }
    }

    // Owners first: whether the key of one can be imported is known once it is there, or is not.
    await insert(candidates.filter(({ record }) => isOwnerKind(record.kind)));
    const hasOwner = createOwnerCheck(nowMs);
    const insertable: Candidate[] = [];
    for (const candidate of candidates.filter(({ record }) => !isOwnerKind(record.kind))) {
      try {
        if (dryRun || (await hasOwner(candidate.record))) insertable.push(candidate);
        else outcomes[candidate.index] = await explainOwnerless(candidate);
      } catch (error) {
        outcomes[candidate.index] = refuse(candidate.record.name, reasonOf(error));
      }
    }
    await insert(insertable);
    return outcomes;
  }

  /** Whether nothing would refuse this key only because its owner was left behind. What is dead needs no owner. */
  function createOwnerCheck(nowMs: number) {
    const known = new Map<string, boolean>();
    return async (key: KeyRecord): Promise<boolean> => {
      const { owner } = key;
      if (owner === undefined || !isLive(key, nowMs)) return true;
      const isThere = known.get(owner.id) ?? isSameOwner(await findIn(store, [ownerDigest(owner.id)]), owner);
      known.set(owner.id, isThere);
      return isThere;
    };
  }

  async function explainOwnerless({ record: { id, name, digest, owner } }: Candidate): Promise<ImportOutcome> {
    if ((await findIn(store, [digest]))?.id === id) return { outcome: 'unchanged', id, name };
    const missing = owner && `the ${KIND_NAMES[owner.kind]} "${owner.name}" (${owner.id})`;
    return refuse(
      name,
      `its owner, ${missing}, is not there, so every use of it would be refused. Import that one first`,
    );
  }

  async function toCandidate(line: unknown, nowMs: number, actor: Actor): Promise<Omit<Candidate, 'index'>> {
    if (typeof line === 'object' && line !== null && !('id' in line)) {
      const foreign = valueOf(readForeignKey(line));
      const key = { ...foreign, kind: 'ingestion' } as const;
      checkNewKey(key, nowMs);
      const birth = { id: createId(random), digest: foreign.digest, nowMs, by: actor.name };
      return { record: toRecord(key, birth), foreign };
    }
    const record = valueOf(readTransferred(line));
    checkRecord(record, nowMs);
    return { record };
  }

  /** What the schema of stored records lets pass, and what would be of no use here. */
  function faultOf(record: KeyRecord): string | undefined {
    const { id, kind, digest, state, revokedAt } = record;
    if (String(Number(id)) !== id || !Number.isSafeInteger(Number(id))) {
      return `id: must be a whole number up to ${Number.MAX_SAFE_INTEGER}, without zeros in front`;
    }
    if ((state === 'revoked') !== (revokedAt !== undefined))
      return 'revokedAt: must be set if state is revoked, only then';
    for (const [field, text] of rememberedTexts(record)) {
      if (isPlainText(text, MAX_REMEMBERED_LENGTH)) continue;
      return `${field}: must have at most ${MAX_REMEMBERED_LENGTH} characters, and no control characters`;
    }
    if (isOwnerKind(kind)) return digest === ownerDigest(id) ? undefined : `digest: must be ${ownerDigest(id)}`;
    if (isOwnerDigest(digest)) return 'digest: is that of an owner, and this is a key';
    const scheme = schemeOf(digest);
    if (schemes.has(scheme)) return undefined;
    const pepper = scheme.slice('hmac-'.length);
    return `digest: was made with the pepper "${pepper}", which is not configured here. Set it in keys.previousPeppers`;
  }

  async function findStored({ digest }: KeyRecord, { alternates = [] }: ForeignKey): Promise<KeyRecord | undefined> {
    return findIn(store, [digest, ...alternates]);
  }

  /** What stood in the way is looked up afterwards: most lines meet nothing. */
  async function explain({ record, foreign }: Candidate, outcome: InsertOutcome | undefined): Promise<ImportOutcome> {
    const { id, kind, name, digest } = record;
    if (outcome === 'inserted') return { outcome: 'imported', id, name };
    try {
      const sameId = await store.get(id);
      if (sameId?.digest === digest) return { outcome: 'unchanged', id, name };
      if (sameId !== undefined && foreign === undefined) {
        return refuse(name, `another ${KIND_NAMES[sameId.kind]} has the id ${id}: "${sameId.name}"`);
      }
      const sameDigest = await store.find([digest]);
      if (sameDigest !== undefined) return compare(record, sameDigest, foreign !== undefined);
    } catch (error) {
      return refuse(name, reasonOf(error));
    }
    if (outcome === 'name_taken') {
      return refuse(name, `there already is a live ${KIND_NAMES[kind]} named "${name}". Rename one of the two`);
    }
    return refuse(name, 'others changed the store at the same time. Import it again');
  }

  return importLines;
}

/** A key that is there already under its digest. One of another system brings no id, and is known by its name. */
function compare({ name }: KeyRecord, stored: KeyRecord, isForeign: boolean): ImportOutcome {
  if (isForeign && stored.kind === 'ingestion' && stored.name === name && stored.state !== 'revoked') {
    return { outcome: 'unchanged', id: stored.id, name };
  }
  const dead = stored.state === 'revoked' ? ', which was deleted' : '';
  return refuse(name, `the same key is there already: "${stored.name}" with the id ${stored.id}${dead}`);
}

/** Into an empty store keys may be imported, though it answers no lookup: whether it is the right one, the insert decides. */
async function findIn(store: KeyStore, digests: readonly KeyDigest[]): Promise<KeyRecord | undefined> {
  try {
    return await store.find(digests);
  } catch (error) {
    if (error instanceof StoreError && error.fault === 'foreign') return undefined;
    throw error;
  }
}

function isSameOwner(stored: KeyRecord | undefined, { kind, name }: Owner): boolean {
  return stored?.kind === kind && stored.name === name;
}

function refuse(name: string | undefined, reason: string): ImportOutcome {
  return { outcome: 'refused', reason, ...(name !== undefined && { name }) };
}

function nameIn(line: unknown): string | undefined {
  const isNamed = typeof line === 'object' && line !== null && 'name' in line;
  return isNamed && typeof line.name === 'string' ? line.name.slice(0, 100) : undefined;
}

/** Longer than anybody is called: a service token is by its name and its id. */
const MAX_REMEMBERED_LENGTH = 200;

/** What other records have from this program, and a file could have from anybody: lists and logs show it to people. */
function rememberedTexts({ createdBy, revokedBy = '', dedicatedSubject = '', owner }: KeyRecord) {
  return Object.entries({ createdBy, revokedBy, dedicatedSubject, 'owner.name': owner?.name ?? '' });
}

/** What holds of a new one holds of this; but its expiry may be over, which is what it is then, and no mistake. */
function checkRecord({ kind, ...record }: KeyRecord, nowMs: number): void {
  const { expiresAt: _over, owner: _itself, ...rest } = record;
  switch (kind) {
    case 'serviceId':
    case 'user':
      return checkNewOwner({ ...rest, kind });
    case 'ingestion':
    case 'service':
      return checkNewKey({ ...rest, kind }, nowMs);
    case 'receiver':
    case 'canary':
      throw new KeyServiceError('invalid_line', `kind: must be one of ${TRANSFERRED_KINDS.join(', ')}`);
  }
}

/** A fault of the store ends the import; a record of it that cannot be read concerns only this line. */
function reasonOf(error: unknown): string {
  if (error instanceof KeyServiceError) return error.message;
  if (error instanceof StoreError && error.fault === 'corrupt') return error.message;
  throw error;
}

function valueOf<T>(result: LineResult<T>): T {
  if ('problem' in result) throw new KeyServiceError('invalid_line', result.problem);
  return result.value;
}

/** "sha256", or "hmac-" and the id of a pepper. */
function schemeOf(digest: string): string {
  return digest.slice(0, digest.indexOf(':'));
}

/** A digest of another scheme would never be looked up. */
function schemesOf(digester: Digester): ReadonlySet<string> {
  const { digest, alternates } = digester('');
  return new Set([digest, ...alternates].map(schemeOf));
}
