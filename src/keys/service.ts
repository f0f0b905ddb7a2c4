import type { Digester } from '../credential/digest.ts';
import { createKeyText } from '../credential/key-text.ts';
import type { GeneratedKind, Random } from '../credential/key-text.ts';
import type { KeyStore } from '../store/port.ts';
import type { KeyRecord } from './record.ts';

export interface NewKey {
  readonly kind: GeneratedKind;
  /** Unique among the live keys of its kind. */
  readonly name: string;
  readonly description?: string | undefined;
  /** Milliseconds since the epoch; in the future. */
  readonly expiresAt?: number | undefined;
  /** What a service token may do; an ingestion key has none. */
  readonly roles?: readonly string[] | undefined;
  readonly dedicatedSubject?: string | undefined;
  readonly tenant?: string | undefined;
}

/** Who makes a change. */
export interface Actor {
  readonly name: string;
}

/** The text of a key is known here, and nowhere afterwards. */
export interface CreatedKey {
  readonly record: KeyRecord;
  readonly text: string;
}

/** The only writer of keys. Its methods throw a KeyServiceError for what the caller can mend, else the StoreError. */
export interface KeyService {
  create(key: NewKey, actor: Actor): Promise<CreatedKey>;
  /** The keys that are not revoked, by name; expired ones are among them. */
  list(kind: GeneratedKind): Promise<KeyRecord[]>;
  revoke(kind: GeneratedKind, id: string, actor: Actor): Promise<KeyRecord>;
  /** Forgets the keys that have been dead for longer than tombstones are kept; returns how many. */
  prune(): Promise<number>;
}

export type KeyServiceFault =
  | 'invalid_name'
  | 'invalid_description'
  | 'invalid_expiry'
  | 'invalid_roles'
  | 'name_taken'
  | 'not_found'
  | 'conflict';

export class KeyServiceError extends Error {
  override readonly name = 'KeyServiceError';
  readonly code: KeyServiceFault;

  constructor(code: KeyServiceFault, message: string) {
    super(message);
    this.code = code;
  }
}

export interface KeyServiceOptions {
  readonly store: KeyStore;
  readonly digester: Digester;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: Random;
  /** How long revoked and expired keys are remembered. */
  readonly tombstoneMs: number;
}

/** Enough against chance: an id clashes once in 2^48 / (number of keys) times, and a change with another one seldom. */
const MAX_ATTEMPTS = 5;

const WHAT: Record<GeneratedKind, string> = { ingestion: 'ingestion API key', service: 'service token' };

export function createKeyService({ store, digester, now, random, tombstoneMs }: KeyServiceOptions): KeyService {
  async function create(key: NewKey, actor: Actor): Promise<CreatedKey> {
    const nowMs = now();
    check(key, nowMs);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const text = createKeyText(key.kind, random);
      const record = toRecord(key, { id: createId(random), digest: digester(text).digest, nowMs, by: actor.name });
      const outcome = await store.insert(record, nowMs);
      switch (outcome) {
        case 'inserted':
          return { record, text };
        case 'name_taken':
          throw new KeyServiceError(
            'name_taken',
            `There already is a live ${WHAT[key.kind]} named "${key.name}". Choose another name, or delete that one first.`,
          );
        case 'exists':
          break; // draw again
      }
    }
    throw new KeyServiceError('conflict', 'No free id was found. Try again.');
  }

  async function list(kind: GeneratedKind): Promise<KeyRecord[]> {
    const records = await store.list(kind);
    return records.filter((record) => record.state !== 'revoked').sort(byNameAndId);
  }

  async function revoke(kind: GeneratedKind, id: string, actor: Actor): Promise<KeyRecord> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const record = await store.get(id);
      if (record === undefined || record.kind !== kind || record.state === 'revoked') throw notFound(kind, id);
      const revoked: KeyRecord = {
        ...record,
        state: 'revoked',
        revokedAt: now(),
        revokedBy: actor.name,
        revision: record.revision + 1,
      };
      const outcome = await store.replace(revoked);
      switch (outcome) {
        case 'replaced':
          return revoked;
        case 'absent':
          throw notFound(kind, id);
        case 'conflict':
          break; // somebody changed it since it was read
      }
    }
    throw new KeyServiceError(
      'conflict',
      `The ${WHAT[kind]} ${id} is being changed by others all the time. Try again.`,
    );
  }

  return { create, list, revoke, prune: () => store.prune(now() - tombstoneMs) };
}

interface Birth {
  readonly id: string;
  readonly digest: KeyRecord['digest'];
  readonly nowMs: number;
  readonly by: string;
}

function toRecord(key: NewKey, { id, digest, nowMs, by }: Birth): KeyRecord {
  const { kind, name, description, expiresAt, roles, dedicatedSubject, tenant } = key;
  return {
    id,
    kind,
    name,
    ...(description && { description }),
    digest,
    ...(tenant !== undefined && { tenant }),
    ...(roles !== undefined && { roles: [...new Set(roles)] }),
    ...(dedicatedSubject !== undefined && { dedicatedSubject }),
    state: 'active',
    createdAt: nowMs,
    createdBy: by,
    ...(expiresAt !== undefined && { expiresAt }),
    revision: 1,
  };
}

const MAX_NAME_LENGTH = 100;
const MAX_DESCRIPTION_LENGTH = 1_000;
const MAX_ROLES = 50;
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const ROLE = /^[A-Za-z0-9_.:-]{1,100}$/;

function check(key: NewKey, nowMs: number): void {
  const { kind, name, description = '', expiresAt, roles } = key;
  const isPlainName = name.trim() === name && name.isWellFormed() && !CONTROL.test(name);
  if (name.length < 1 || name.length > MAX_NAME_LENGTH || !isPlainName) {
    throw new KeyServiceError(
      'invalid_name',
      `The name must have 1 to ${MAX_NAME_LENGTH} characters, no control characters, and no spaces at its ends.`,
    );
  }
  if (description.length > MAX_DESCRIPTION_LENGTH || !description.isWellFormed() || CONTROL.test(description)) {
    throw new KeyServiceError(
      'invalid_description',
      `The description must have at most ${MAX_DESCRIPTION_LENGTH} characters, and no control characters.`,
    );
  }
  if (expiresAt !== undefined && !(Number.isSafeInteger(expiresAt) && expiresAt > nowMs)) {
    throw new KeyServiceError('invalid_expiry', 'The expiration must be a time in the future. Choose a later date.');
  }
  if (kind === 'ingestion' && roles !== undefined) {
    throw new KeyServiceError('invalid_roles', 'An ingestion API key has no roles. Create a service token instead.');
  }
  if (kind === 'service' && !isRoleList(roles)) {
    throw new KeyServiceError('invalid_roles', `A service token needs 1 to ${MAX_ROLES} role names.`);
  }
}

function isRoleList(roles: readonly string[] | undefined): boolean {
  return roles !== undefined && roles.length > 0 && roles.length <= MAX_ROLES && roles.every((role) => ROLE.test(role));
}

/** 48 random bits: exact in the doubles of JSON numbers, which other systems read ids as. */
function createId(random: Random): string {
  return random(6).readUIntBE(0, 6).toString();
}

/** By code units, so that the order is the same on every machine. */
function byNameAndId(a: KeyRecord, b: KeyRecord): number {
  return compare(a.name, b.name) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function notFound(kind: GeneratedKind, id: string): KeyServiceError {
  return new KeyServiceError('not_found', `There is no ${WHAT[kind]} with the id ${id}. List them to see their ids.`);
}
