import { z } from 'zod';
import { OWNER_ROLES } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { OwnedCount } from '../keys/owned-keys.ts';
import type { Progress } from '../replica/progress.ts';
import { propagationSchema } from './propagation.ts';
import { epochMs, id } from './schemas.ts';

/** What goes over the wire about the owners of keys. StackState has none of this, so the shapes are ours. */

const roles = z
  .array(z.enum(OWNER_ROLES, `must be one of ${OWNER_ROLES.join(', ')}`))
  .describe('Sender: its keys may send. An empty list: they may not.');

export const newOwnerSchema = z.strictObject({
  name: z.string().describe('Unique among the live ones of its kind, and no number.'),
  description: z.string().optional(),
  roles: roles.default(['Sender']),
});

export const ownerUpdateSchema = z.strictObject({
  description: z.string().optional().describe('Empty: none any more.'),
  roles: roles.optional(),
});

export const OWNER_STATES = ['active', 'locked', 'deleted'] as const;

export const ownerSchema = z.strictObject({
  id,
  name: z.string(),
  description: z.string().optional(),
  roles: z.array(z.string()),
  state: z.enum(OWNER_STATES).describe('All keys and tokens of one that is locked or deleted are refused.'),
  createdAt: epochMs,
  createdBy: z.string(),
  lastUpdateTimestamp: epochMs,
  revokedAt: epochMs.optional().describe('When it was deleted.'),
  revokedBy: z.string().optional(),
});

export const ownerDetailsSchema = ownerSchema.extend({
  keys: z
    .int()
    .nonnegative()
    .optional()
    .describe(
      'Its keys and tokens that work while it does. Absent where there are too many keys to look through, or the store does not say.',
    ),
  keysInUse: z
    .int()
    .nonnegative()
    .optional()
    .describe('Those of them that were used within the last hour, as far as gateways have told.'),
  propagation: propagationSchema.optional().describe('Who has applied this change; only where it was waited for.'),
});

/** The names under which the OpenAPI document refers to these shapes. */
export const namedOwnerSchemas = {
  NewOwner: newOwnerSchema,
  OwnerUpdate: ownerUpdateSchema,
  Owner: ownerSchema,
  OwnerDetails: ownerDetailsSchema,
};

export type NewOwnerRequest = z.input<typeof newOwnerSchema>;
export type OwnerUpdate = z.output<typeof ownerUpdateSchema>;
export type Owner = z.output<typeof ownerSchema>;
export type OwnerDetails = z.output<typeof ownerDetailsSchema>;

const STATES = { active: 'active', disabled: 'locked', revoked: 'deleted' } as const;

export function toOwner(record: KeyRecord): Owner {
  const { name, description, roles: given = [], state, createdAt, createdBy, changedAt, revokedAt, revokedBy } = record;
  return {
    id: Number(record.id),
    name,
    ...(description !== undefined && { description }),
    roles: [...given],
    state: STATES[state],
    createdAt,
    createdBy,
    lastUpdateTimestamp: changedAt ?? createdAt,
    ...(revokedAt !== undefined && { revokedAt }),
    ...(revokedBy !== undefined && { revokedBy }),
  };
}

export function toOwnerDetails(record: KeyRecord, owned: OwnedCount | undefined, propagation?: Progress): OwnerDetails {
  return {
    ...toOwner(record),
    ...(owned !== undefined && { keys: owned.keys, keysInUse: owned.inUse }),
    ...(propagation !== undefined && { propagation }),
  };
}
