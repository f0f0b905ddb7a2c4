import { z } from 'zod';
import { isKeyDigest, isOwnerDigest } from '../credential/digest.ts';
import type { KeyDigest } from '../credential/digest.ts';
import { KEY_TYPES, isCidr, isOrigin, limitsProblem } from './scope.ts';
import type { Cidr, Origin } from './scope.ts';

/** The four kinds of telemetry a key may be limited to. */
export const SIGNALS = ['traces', 'metrics', 'logs', 'profiles'] as const;
export type Signal = (typeof SIGNALS)[number];

/**
 * - ingestion: made by Keygate, sends telemetry
 * - receiver: set in the configuration, sends telemetry, never expires (StackState's Receiver API key)
 * - service: a service token, manages keys through the admin API and never sends telemetry
 * - canary: made and revoked by a gateway all the time, to measure how long that takes; nobody holds it, it opens nothing
 * - serviceId, user: no key but the owner of keys, a program or a person; see OWNER_KINDS
 */
export const KEY_KINDS = ['ingestion', 'receiver', 'service', 'canary', 'serviceId', 'user'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/**
 * Owners are records like keys, so that whatever makes a change of a key true everywhere (store, feed, cache) does it for
 * them too: `disabled` is a locked owner, `revoked` a deleted one.
 */
export const OWNER_KINDS = ['serviceId', 'user'] as const;
export type OwnerKind = (typeof OWNER_KINDS)[number];

/** The kinds that people make and change. */
export type ManagedKind = Exclude<KeyKind, 'receiver' | 'canary'>;

export function isOwnerKind(kind: KeyKind): kind is OwnerKind {
  return kind === 'serviceId' || kind === 'user';
}

/** What an owner may be allowed. Without `Sender`, its keys may not send. */
export const OWNER_ROLES = ['Sender'] as const;
export type OwnerRole = (typeof OWNER_ROLES)[number];

/** What messages call a key of each kind. */
export const KIND_NAMES: Readonly<Record<KeyKind, string>> = {
  ingestion: 'ingestion API key',
  receiver: 'receiver key',
  service: 'service token',
  canary: 'canary key',
  serviceId: 'service id',
  user: 'user',
};

const keyDigest = z.custom<KeyDigest>(isKeyDigest, 'is not a key digest');
const cidr = z.custom<Cidr>(isCidr, 'is not a network in canonical form');
const origin = z.custom<Origin>(isOrigin, 'is not a web origin');
const limit = z.number().optional();
const epochMs = z.number().int().nonnegative();
/** An int64 as a decimal string: other systems' ids exceed what a double holds. */
const id = z.string().regex(/^[0-9]{1,19}$/);

/** The text of a key, closed under a key-encryption key that is not in the store; all but `by` in base64. See seal.ts. */
const sealedSchema = z.object({
  /** The id of the key-encryption key. */
  by: z.string(),
  nonce: z.string(),
  text: z.string(),
  tag: z.string(),
});

export type Sealed = Readonly<z.output<typeof sealedSchema>>;

/**
 * All that is stored of a key; never its text, unless it is of a type that was declared revealable, and then sealed.
 * Optional fields are absent, not null. A revoked or expired record stays as a tombstone for a while, so that "revoked"
 * differs from "never existed".
 */
export const recordFields = z.object({
  id,
  kind: z.enum(KEY_KINDS),
  name: z.string().min(1),
  description: z.string().optional(),
  digest: keyDigest,
  tenant: z.string().optional(),
  /** Words that people or their tools know it by; they decide nothing. */
  tags: z.array(z.string()).optional(),
  /** Absent: none in particular, which may send on every route, and reads nothing. */
  type: z.enum(KEY_TYPES).optional(),
  /** Absent: all of them. */
  signals: z.array(z.enum(SIGNALS)).optional(),
  /** Networks that it may be used from. Absent: all of them. */
  cidrs: z.array(cidr).optional(),
  /** Web origins that it may be used from. Absent: all of them, and none. */
  origins: z.array(origin).optional(),
  limits: z
    .object({ requestsPerSecond: limit, requestBurst: limit, bytesPerSecond: limit, byteBurst: limit })
    .refine((limits) => limitsProblem(limits) === undefined, 'are no limits')
    .optional(),
  /** Of a service token: what it may do. Of an owner: what its keys may do. */
  roles: z.array(z.string()).optional(),
  /**
   * Who the key is of: it works only while this one does. Its name never changes, so it is repeated here for those who
   * read of the key. Absent: nobody in particular.
   */
  owner: z.object({ id, kind: z.enum(OWNER_KINDS), name: z.string().min(1) }).optional(),
  /** Who a service token was said to be for before owners were records: a remark, and nothing depends on it. */
  dedicatedSubject: z.string().optional(),
  state: z.enum(['active', 'disabled', 'revoked']),
  createdAt: epochMs,
  createdBy: z.string(),
  /** The key is dead from this instant on. */
  expiresAt: epochMs.optional(),
  /** The id of the key that took this one's place; its name went to that one. */
  replacedBy: id.optional(),
  /** The key is dead from this instant on, because another one took its place. */
  retireAt: epochMs.optional(),
  /** When it was last changed, if ever. */
  changedAt: epochMs.optional(),
  revokedAt: epochMs.optional(),
  revokedBy: z.string().optional(),
  /** Counts the changes of this record, from 1. */
  revision: z.number().int().positive(),
  /** A copy of the text for whoever may reveal it. Only `get` of the store gives it. */
  sealed: sealedSchema.optional(),
});

/** A digest of the other sort would make a key of an owner, or an owner of a key. */
export const keyRecordSchema = recordFields.refine(({ kind, digest }) => isOwnerKind(kind) === isOwnerDigest(digest), {
  path: ['digest'],
  message: 'is not that of its kind',
});

export type KeyRecord = Readonly<z.output<typeof keyRecordSchema>>;
export type Owner = Readonly<NonNullable<KeyRecord['owner']>>;

export function withoutSealed(record: KeyRecord): KeyRecord {
  if (record.sealed === undefined) return record;
  const { sealed: _hidden, ...rest } = record;
  return rest;
}

/** A live key holds its name, until another key takes its place; a tombstone does not. */
export function isLive(record: KeyRecord, nowMs: number): boolean {
  return record.state !== 'revoked' && !isExpired(record, nowMs);
}

/** Whether the key has its name for itself: a live one does, until another key takes its place. */
export function holdsName(record: KeyRecord, nowMs: number): boolean {
  return isLive(record, nowMs) && record.replacedBy === undefined;
}

/** Whether the time of the key is over, by its own expiry or because another one took its place. */
export function isExpired(record: KeyRecord, nowMs: number): boolean {
  return nowMs >= (endsAt(record) ?? Infinity);
}

/** When the time of the key is over unless it is revoked earlier; undefined for one that does not expire. */
export function endsAt({ expiresAt, retireAt }: Pick<KeyRecord, 'expiresAt' | 'retireAt'>): number | undefined {
  return earliest(expiresAt, retireAt);
}

/** When the key died or will die; undefined for one that lives until it is revoked. */
export function diedAt(record: KeyRecord): number | undefined {
  return earliest(record.revokedAt, endsAt(record));
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/**
 * How a key is doing, in one word for people: `retiring` is one that another key took the place of and that works until
 * its grace ends; then it is `retired`.
 */
export const KEY_STATES = ['active', 'disabled', 'retiring', 'retired', 'expired', 'revoked'] as const;
export type KeyState = (typeof KEY_STATES)[number];

export function stateOf(record: KeyRecord, nowMs: number): KeyState {
  if (record.state === 'revoked') return 'revoked';
  if (isExpired(record, nowMs))
    return record.retireAt !== undefined && nowMs >= record.retireAt ? 'retired' : 'expired';
  if (record.state === 'disabled') return 'disabled';
  return record.replacedBy === undefined ? 'active' : 'retiring';
}
