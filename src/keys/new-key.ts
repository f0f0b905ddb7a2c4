import type { GeneratedKind, Random } from '../credential/key-text.ts';
import { checkNoScope, toScope } from './new-scope.ts';
import type { NewScope } from './new-scope.ts';
import { isPlainName, isPlainText } from './plain-text.ts';
import type { KeyRecord, Owner } from './record.ts';
import { KeyServiceError } from './service-error.ts';

export interface NewKey extends NewScope {
  readonly kind: GeneratedKind;
  /** Unique among the live keys of its kind. */
  readonly name: string;
  readonly description?: string | undefined;
  /** Milliseconds since the epoch; in the future. */
  readonly expiresAt?: number | undefined;
  /** What a service token may do; an ingestion key has none. */
  readonly roles?: readonly string[] | undefined;
  /** The name or the id of the service id or user whose key it is: it works only while that one does. */
  readonly owner?: string | undefined;
}

/** What every key is given when it is made. */
export interface Birth {
  readonly id: string;
  readonly digest: KeyRecord['digest'];
  readonly nowMs: number;
  readonly by: string;
  readonly owner?: Owner | undefined;
}

export function toRecord(key: NewKey, { id, digest, nowMs, by, owner }: Birth): KeyRecord {
  const { kind, name, description, expiresAt, roles } = key;
  return {
    id,
    kind,
    name,
    ...(description && { description }),
    digest,
    ...toScope(key),
    ...(roles !== undefined && { roles: [...new Set(roles)] }),
    ...(owner !== undefined && { owner }),
    state: 'active',
    createdAt: nowMs,
    createdBy: by,
    ...(expiresAt !== undefined && { expiresAt }),
    revision: 1,
  };
}

/** 48 random bits: exact in the doubles of JSON numbers, which other systems read ids as. */
export function createId(random: Random): string {
  return random(6).readUIntBE(0, 6).toString();
}

const MAX_NAME_LENGTH = 100;
const MAX_DESCRIPTION_LENGTH = 1_000;
const MAX_ROLES = 50;
const ROLE = /^[A-Za-z0-9_.:-]{1,100}$/;

/** Throws for the first thing that is wrong with it. */
export function checkNewKey(key: NewKey, nowMs: number): void {
  const { kind, name, description = '', expiresAt, roles } = key;
  checkName(name);
  checkDescription(description);
  if (expiresAt !== undefined) checkExpiry(expiresAt, nowMs);
  if (kind === 'ingestion' && roles !== undefined) {
    throw new KeyServiceError('invalid_roles', 'An ingestion API key has no roles. Create a service token instead.');
  }
  if (kind === 'service' && !isRoleList(roles)) {
    throw new KeyServiceError('invalid_roles', `A service token needs 1 to ${MAX_ROLES} role names.`);
  }
  if (kind === 'service') checkNoScope(key);
  toScope(key);
}

export function checkName(name: string): void {
  if (isPlainName(name, MAX_NAME_LENGTH)) return;
  throw new KeyServiceError(
    'invalid_name',
    `The name must have 1 to ${MAX_NAME_LENGTH} characters, no control characters, and no spaces at its ends.`,
  );
}

export function checkDescription(description: string): void {
  if (isPlainText(description, MAX_DESCRIPTION_LENGTH)) return;
  throw new KeyServiceError(
    'invalid_description',
    `The description must have at most ${MAX_DESCRIPTION_LENGTH} characters, and no control characters.`,
  );
}

export function checkExpiry(expiresAt: number, nowMs: number): void {
  if (Number.isSafeInteger(expiresAt) && expiresAt > nowMs) return;
  throw new KeyServiceError('invalid_expiry', 'The expiration must be a time in the future. Choose a later date.');
}

function isRoleList(roles: readonly string[] | undefined): boolean {
  return roles !== undefined && roles.length > 0 && roles.length <= MAX_ROLES && roles.every((role) => ROLE.test(role));
}
