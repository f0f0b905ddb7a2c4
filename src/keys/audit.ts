import { z } from 'zod';
import { KEY_KINDS } from './record.ts';
import type { KeyRecord } from './record.ts';

export const AUDIT_ACTIONS = [
  'created',
  'rotated',
  'disabled',
  'enabled',
  'locked',
  'unlocked',
  'updated',
  'revoked',
  /** Somebody was given the text of a key that was there already. */
  'revealed',
  /** It came as it is from another store or system. */
  'imported',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** The ways by which a change can come; `gateway` is the program by itself, as in development mode. */
export const WAYS = ['cli', 'admin-api', 'gateway'] as const;
export type Way = (typeof WAYS)[number];

/** Who makes a change, and from where. */
export interface Actor {
  /** Such as "cli:alice", or name and id of a service token. */
  readonly name: string;
  /** `gateway` unless said otherwise. */
  readonly via?: Way;
  /** The address that the change was sent from, if it came over a network. */
  readonly address?: string | undefined;
}

/** Values of a record's fields by their names. */
const fields = z.record(z.string(), z.json());
export type Fields = z.output<typeof fields>;

/**
 * One change of one key, for those who later ask who did it. Written in one step with the change itself, so neither is
 * there without the other; that a key was revealed is written before it is. `before` and `after` hold the fields that
 * changed and had a value, and never a secret.
 */
export const auditEntrySchema = z.object({
  at: z.number().int().nonnegative(),
  actor: z.string(),
  via: z.enum(WAYS),
  address: z.string().optional(),
  action: z.enum(AUDIT_ACTIONS),
  kind: z.enum(KEY_KINDS),
  id: z.string(),
  name: z.string(),
  before: fields,
  after: fields,
});

export type AuditEntry = Readonly<z.output<typeof auditEntrySchema>>;

export interface AuditedChange {
  readonly at: number;
  readonly actor: Actor;
  readonly action: AuditAction;
  /** Absent for a key that is new. */
  readonly before?: KeyRecord;
  readonly after: KeyRecord;
}

export function toAuditEntry({ at, actor, action, before, after }: AuditedChange): AuditEntry {
  const { name: who, via = 'gateway', address } = actor;
  const { kind, id, name } = after;
  return {
    at,
    actor: who,
    via,
    ...(address !== undefined && { address }),
    action,
    kind,
    id,
    name,
    ...changedFields(before, after),
  };
}

/**
 * Which fields of a record an entry tells. The list is complete by its type: a new field is told or not by a decision,
 * and one that holds a secret, as the digest does, never by oversight.
 */
const IS_TOLD: Readonly<Record<keyof KeyRecord, boolean>> = {
  id: false,
  kind: false,
  name: false,
  description: true,
  digest: false,
  tenant: true,
  tags: true,
  type: true,
  signals: true,
  cidrs: true,
  origins: true,
  limits: true,
  roles: true,
  owner: true,
  dedicatedSubject: true,
  state: true,
  createdAt: false,
  createdBy: false,
  changedAt: false,
  expiresAt: true,
  replacedBy: true,
  retireAt: true,
  revokedAt: false,
  revokedBy: false,
  revision: false,
  sealed: false,
};

function changedFields(before: KeyRecord | undefined, after: KeyRecord): { before: Fields; after: Fields } {
  const changed = { before: {} as Fields, after: {} as Fields };
  for (const [field, isTold] of Object.entries(IS_TOLD) as [keyof KeyRecord, boolean][]) {
    const [old, now] = [before?.[field], after[field]];
    if (!isTold || JSON.stringify(old) === JSON.stringify(now)) continue;
    if (old !== undefined) changed.before[field] = old as Fields[string];
    if (now !== undefined) changed.after[field] = now as Fields[string];
  }
  return changed;
}
