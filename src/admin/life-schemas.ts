import { z } from 'zod';
import { AUDIT_ACTIONS, WAYS } from '../keys/audit.ts';
import type { RotatedKey } from '../keys/key-changes.ts';
import { KEY_STATES, stateOf } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { Progress } from '../replica/progress.ts';
import type { StoredAuditEntry } from '../store/port.ts';
import { propagationSchema } from './propagation.ts';
import { scopeUpdate } from './scope-schemas.ts';
import type { KeyUsage } from '../store/usage-port.ts';
import {
  createdServiceTokenSchema,
  epochMs,
  generatedIngestionKeySchema,
  id,
  ingestionKeySchema,
  serviceTokenSchema,
  toIngestionKey,
  toServiceToken,
} from './schemas.ts';

/** What goes over the wire about the life of keys and tokens. StackState has none of this, so the shapes are ours. */

const life = {
  state: z
    .enum(KEY_STATES)
    .describe('retiring: another one took its place, and it works until retireAt; retired: it no longer does.'),
  createdAt: epochMs,
  createdBy: z.string(),
  retireAt: epochMs.optional().describe('Dead from this instant on, because another one took its place.'),
  revokedAt: epochMs.optional(),
  revokedBy: z.string().optional(),
  propagation: propagationSchema.optional().describe('Who has applied this change; only where it was waited for.'),
  lastUsed: epochMs
    .optional()
    .describe('As far as gateways have told; absent if it was never used. Only where it is read.'),
  requests: z.int().nonnegative().meta({ format: 'int64' }).optional().describe('How many it was used for.'),
  bytes: z.int().nonnegative().meta({ format: 'int64' }).optional().describe('Of their bodies, as sent.'),
  sources: z
    .array(z.strictObject({ address: z.string(), lastUsed: epochMs }))
    .optional()
    .describe('From where it was used within the last hour, the latest first; 64 at most.'),
};

export const ingestionKeyDetailsSchema = ingestionKeySchema.extend(life);
export const serviceTokenDetailsSchema = serviceTokenSchema.extend(life);

export const rotationSchema = z.strictObject({
  gracePeriod: z
    .int()
    .nonnegative()
    .meta({ format: 'int64' })
    .optional()
    .describe('Milliseconds that the old one goes on working, never past its own expiry; 0: none. A day if not given.'),
  expiration: epochMs.optional().describe('Of the new one; without it, it does not expire.'),
});

export const rotatedIngestionKeySchema = generatedIngestionKeySchema.extend({ predecessor: ingestionKeyDetailsSchema });
export const rotatedServiceTokenSchema = createdServiceTokenSchema.extend({ predecessor: serviceTokenDetailsSchema });

export const revealedIngestionKeySchema = ingestionKeySchema.extend({
  apiKey: z.string().describe('The key itself, of which a sealed copy was kept.'),
});

export const ingestionKeyUpdateSchema = z.strictObject({
  description: z.string().optional().describe('Empty: none any more.'),
  expiration: epochMs.nullable().optional().describe('null: it does not expire any more.'),
  ...scopeUpdate,
});

export const serviceTokenUpdateSchema = z.strictObject({
  expiryDate: epochMs.nullable().optional().describe('null: it does not expire any more.'),
});

const fields = z.record(z.string(), z.unknown());

export const auditLogEntrySchema = z.strictObject({
  cursor: z.string().describe('Where it is in the log: send it as "before" to read on from here.'),
  timestamp: epochMs,
  actor: z.string().describe('Name and id of a service token, or the user of the command line.'),
  via: z.enum(WAYS),
  address: z.string().optional().describe('Where the change was sent from.'),
  action: z.enum(AUDIT_ACTIONS),
  what: z.enum(['ingestion-api-key', 'service-token', 'receiver-key', 'canary-key', 'service-id', 'user']),
  id,
  name: z.string(),
  before: fields.describe('The changed fields that had a value before.'),
  after: fields.describe('The changed fields that have a value now.'),
});

/** The names under which the OpenAPI document refers to these shapes. */
export const namedLifeSchemas = {
  Propagation: propagationSchema,
  IngestionApiKeyDetails: ingestionKeyDetailsSchema,
  ServiceTokenDetails: serviceTokenDetailsSchema,
  Rotation: rotationSchema,
  RotatedIngestionApiKey: rotatedIngestionKeySchema,
  RotatedServiceToken: rotatedServiceTokenSchema,
  RevealedIngestionApiKey: revealedIngestionKeySchema,
  IngestionApiKeyUpdate: ingestionKeyUpdateSchema,
  ServiceTokenUpdate: serviceTokenUpdateSchema,
  AuditLogEntry: auditLogEntrySchema,
};

export type IngestionKeyDetails = z.output<typeof ingestionKeyDetailsSchema>;
export type ServiceTokenDetails = z.output<typeof serviceTokenDetailsSchema>;
export type RotationRequest = z.output<typeof rotationSchema>;
export type RotatedIngestionKey = z.output<typeof rotatedIngestionKeySchema>;
export type RotatedServiceToken = z.output<typeof rotatedServiceTokenSchema>;
export type RevealedIngestionKey = z.output<typeof revealedIngestionKeySchema>;
export type IngestionKeyUpdate = z.output<typeof ingestionKeyUpdateSchema>;
export type ServiceTokenUpdate = z.output<typeof serviceTokenUpdateSchema>;
export type AuditLogEntry = z.output<typeof auditLogEntrySchema>;

export function toIngestionKeyDetails(
  record: KeyRecord,
  nowMs: number,
  propagation?: Progress,
  usage?: KeyUsage,
): IngestionKeyDetails {
  return { ...toIngestionKey(record), ...lifeOf(record, nowMs, propagation), ...(usage && useOf(usage)) };
}

export function toServiceTokenDetails(
  record: KeyRecord,
  nowMs: number,
  propagation?: Progress,
  usage?: KeyUsage,
): ServiceTokenDetails {
  return { ...toServiceToken(record), ...lifeOf(record, nowMs, propagation), ...(usage && useOf(usage)) };
}

export function toRotatedIngestionKey(
  { record, text, predecessor }: RotatedKey,
  nowMs: number,
  propagation?: Progress,
): RotatedIngestionKey {
  return {
    ...toIngestionKey(record),
    apiKey: text,
    predecessor: toIngestionKeyDetails(predecessor, nowMs, propagation),
  };
}

export function toRotatedServiceToken(
  { record, text, predecessor }: RotatedKey,
  nowMs: number,
  propagation?: Progress,
): RotatedServiceToken {
  return {
    ...toServiceToken(record),
    token: text,
    predecessor: toServiceTokenDetails(predecessor, nowMs, propagation),
  };
}

function lifeOf(record: KeyRecord, nowMs: number, propagation: Progress | undefined) {
  const { createdAt, createdBy, retireAt, revokedAt, revokedBy } = record;
  return {
    state: stateOf(record, nowMs),
    createdAt,
    createdBy,
    ...(retireAt !== undefined && { retireAt }),
    ...(revokedAt !== undefined && { revokedAt }),
    ...(revokedBy !== undefined && { revokedBy }),
    ...(propagation !== undefined && { propagation }),
  };
}

function useOf({ lastUsedAt, requests, bytes, sources }: KeyUsage) {
  const senders = sources.map(({ address, lastUsedAt: at }) => ({ address, lastUsed: at }));
  return { lastUsed: lastUsedAt, requests, bytes, sources: senders };
}

const WHAT = {
  ingestion: 'ingestion-api-key',
  service: 'service-token',
  receiver: 'receiver-key',
  canary: 'canary-key',
  serviceId: 'service-id',
  user: 'user',
} as const;

export function toAuditLogEntry({ cursor, entry }: StoredAuditEntry): AuditLogEntry {
  const { at, kind, id: keyId, ...rest } = entry;
  return { cursor, timestamp: at, what: WHAT[kind], id: Number(keyId), ...rest };
}
