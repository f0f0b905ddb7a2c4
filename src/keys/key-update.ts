import { checkDescription, checkExpiry } from './new-key.ts';
import { checkOwnerRoles } from './new-owner.ts';
import { updateScope } from './new-scope.ts';
import type { ScopeUpdate } from './new-scope.ts';
import type { KeyRecord, ManagedKind } from './record.ts';

/** What is not given stays as it is. */
interface AnyUpdate extends ScopeUpdate {
  /** Empty: none any more. */
  readonly description?: string | undefined;
  /** null: it does not expire any more. */
  readonly expiresAt?: number | null | undefined;
  readonly roles?: readonly string[] | undefined;
}

/**
 * What may be changed of a key or an owner that is there. The roles of a service token are for good: it was given them
 * by somebody who has them too. The owner of a key is for good: else whoever may change keys could take one from a locked
 * owner.
 */
export type KeyUpdate<Kind extends ManagedKind = ManagedKind> = {
  readonly ingestion: Omit<AnyUpdate, 'roles'>;
  readonly service: Pick<AnyUpdate, 'expiresAt'>;
  readonly serviceId: Pick<AnyUpdate, 'description' | 'roles'>;
  readonly user: Pick<AnyUpdate, 'description' | 'roles'>;
}[Kind];

/** The record as it is to be, or the very same one if nothing changes. Throws for the first fault. */
export function updated(record: KeyRecord, update: AnyUpdate, nowMs: number): KeyRecord {
  const { description = record.description ?? '', expiresAt = record.expiresAt ?? null, roles = record.roles } = update;
  if (update.description !== undefined) checkDescription(description);
  if (typeof update.expiresAt === 'number') checkExpiry(update.expiresAt, nowMs);
  if (update.roles !== undefined) checkOwnerRoles(update.roles);
  const after: KeyRecord = {
    ...withoutChangeable(record),
    ...(description && { description }),
    ...(expiresAt !== null && { expiresAt }),
    ...(roles !== undefined && { roles: [...new Set(roles)] }),
    ...updateScope(record, update),
  };
  const isSame = CHANGEABLE.every((field) => JSON.stringify(record[field]) === JSON.stringify(after[field]));
  return isSame ? record : after;
}

const CHANGEABLE = [
  'description',
  'expiresAt',
  'roles',
  'type',
  'signals',
  'cidrs',
  'origins',
  'tenant',
  'tags',
  'limits',
] as const satisfies readonly (keyof KeyRecord)[];

function withoutChangeable(record: KeyRecord): Omit<KeyRecord, (typeof CHANGEABLE)[number]> {
  const {
    description: _1,
    expiresAt: _2,
    roles: _3,
    type: _4,
    signals: _5,
    cidrs: _6,
    origins: _7,
    tenant: _8,
    tags: _9,
    limits: _10,
    ...rest
  } = record;
  return rest;
}
