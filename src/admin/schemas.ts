import { z } from 'zod';
import { endsAt, OWNER_KINDS } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import { scope } from './scope-schemas.ts';

/**
 * What goes over the wire, in StackState's shapes: times are epoch milliseconds, ids are int64 numbers (those made here
 * have 48 bits, which a double holds), absent fields are left out. Answers are strict, so that no field of a record gets
 * out by accident; what makes or changes something is strict, so that a mistyped limit does not make a key without one.
 */

export const epochMs = z.int().nonnegative().meta({ format: 'int64' });
export const id = z.int().nonnegative().meta({ format: 'int64' });

/** Whose a key is, in answers. */
const owner = z.strictObject({ id, kind: z.enum(OWNER_KINDS), name: z.string() });

export const newIngestionKeySchema = z.strictObject({
  name: z.string().describe('Unique among the live keys.'),
  description: z.string().optional(),
  expiration: epochMs.optional().describe('The key is dead from this instant on. Without it the key does not expire.'),
  owner: z
    .string()
    .optional()
    .describe('Name or id of the service id or user whose key it is: it works only while that one does.'),
  ...scope,
});

/** While a key and its successor both work they have one name, and this tells which is which. */
const replacedBy = id.optional().describe('The one that took its place.');

export const ingestionKeySchema = z.strictObject({
  id,
  lastUpdateTimestamp: epochMs,
  name: z.string(),
  description: z.string().optional(),
  expiration: epochMs.optional(),
  replacedBy,
  owner: owner.optional(),
  ...scope,
});

export const generatedIngestionKeySchema = ingestionKeySchema.extend({
  apiKey: z.string().describe('The key itself: shown here, once, and never again.'),
});

export const authorizeRequestSchema = z.object({ apiKey: z.string().describe('The key to judge.') });

export const newServiceTokenSchema = z.strictObject({
  name: z.string().describe('Unique among the live tokens.'),
  expiryDate: epochMs
    .optional()
    .describe('The token is dead from this instant on. Without it the token does not expire.'),
  roles: z.array(z.string()).min(1, 'must name at least one role'),
  dedicatedSubject: z
    .string()
    .optional()
    .describe('Name or id of the user or service id that the token is for: it works only while that one does.'),
});

export const serviceTokenSchema = z.strictObject({
  id,
  lastUpdateTimestamp: epochMs,
  name: z.string(),
  expiration: epochMs.optional(),
  replacedBy,
  roles: z.array(z.string()),
  dedicatedSubject: z.string().optional(),
});

export const createdServiceTokenSchema = serviceTokenSchema.extend({
  token: z.string().describe('The token itself: shown here, once, and never again.'),
});

export const serverInfoSchema = z.strictObject({
  version: z.strictObject({
    major: z.int(),
    minor: z.int(),
    patch: z.int(),
    diff: z.string(),
    commit: z.string(),
    isDev: z.boolean(),
  }),
  platformVersion: z.string(),
  deploymentMode: z.literal('SelfHosted'),
  applicationDomains: z.array(z.literal('Observability')),
});

export const serverStatusSchema = z.strictObject({ status: z.literal('OK'), version: z.string() });

export const INVALID_EXPIRY_TYPES = ['IngestionApiKeyInvalidExpiryError', 'ServiceTokenInvalidExpiryError'] as const;

export const invalidExpirySchema = z.strictObject({ _type: z.enum(INVALID_EXPIRY_TYPES), message: z.string() });

export const errorsResponseSchema = z.strictObject({
  _type: z.literal('ErrorsResponse'),
  trackingKey: z.string().describe('Also in the log of the gateway.'),
  serverTimestamp: epochMs,
  errors: z.array(z.strictObject({ _type: z.string(), message: z.string() })),
});

const badRequestSchema = z.union([invalidExpirySchema, errorsResponseSchema]);

/** The answer to faulty input, as every route's description has it. */
export const BAD_REQUEST = { description: 'The request is faulty; each fault is named.', schema: badRequestSchema };

/** The names under which the OpenAPI document refers to these shapes. */
export const namedSchemas = {
  NewIngestionApiKey: newIngestionKeySchema,
  IngestionApiKey: ingestionKeySchema,
  GeneratedIngestionApiKey: generatedIngestionKeySchema,
  AuthorizeIngestionApiKey: authorizeRequestSchema,
  NewServiceToken: newServiceTokenSchema,
  ServiceToken: serviceTokenSchema,
  CreatedServiceToken: createdServiceTokenSchema,
  ServerInfo: serverInfoSchema,
  ServerStatus: serverStatusSchema,
  InvalidExpiry: invalidExpirySchema,
  ErrorsResponse: errorsResponseSchema,
  BadRequest: badRequestSchema,
};

export type NewIngestionKey = z.output<typeof newIngestionKeySchema>;
export type IngestionKey = z.output<typeof ingestionKeySchema>;
export type GeneratedIngestionKey = z.output<typeof generatedIngestionKeySchema>;
export type NewServiceToken = z.output<typeof newServiceTokenSchema>;
export type ServiceToken = z.output<typeof serviceTokenSchema>;
export type CreatedServiceToken = z.output<typeof createdServiceTokenSchema>;
export type ServerInfo = z.output<typeof serverInfoSchema>;
export type ErrorsResponse = z.output<typeof errorsResponseSchema>;
export type InvalidExpiryType = (typeof INVALID_EXPIRY_TYPES)[number];

export function toIngestionKey(record: KeyRecord): IngestionKey {
  return {
    ...common(record),
    ...(record.description !== undefined && { description: record.description }),
    ...(record.owner !== undefined && { owner: { ...record.owner, id: Number(record.owner.id) } }),
    ...scopeOf(record),
  };
}

function scopeOf({ type, signals, cidrs, origins, tenant, tags, limits }: KeyRecord) {
  return {
    ...(type !== undefined && { type }),
    ...(signals !== undefined && { signals }),
    ...(cidrs !== undefined && { cidrs }),
    ...(origins !== undefined && { origins }),
    ...(tenant !== undefined && { tenant }),
    ...(tags !== undefined && { tags }),
    ...(limits !== undefined && { limits }),
  };
}

export function toServiceToken(record: KeyRecord): ServiceToken {
  const dedicatedSubject = record.owner?.name ?? record.dedicatedSubject;
  return {
    ...common(record),
    roles: record.roles ?? [],
    ...(dedicatedSubject !== undefined && { dedicatedSubject }),
  };
}

function common(record: KeyRecord) {
  const expiration = endsAt(record);
  return {
    id: Number(record.id),
    lastUpdateTimestamp: record.changedAt ?? record.createdAt,
    name: record.name,
    ...(expiration !== undefined && { expiration }),
    ...(record.replacedBy !== undefined && { replacedBy: Number(record.replacedBy) }),
  };
}
