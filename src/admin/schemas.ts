import { z } from 'zod';
import { endsAt, SIGNALS } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import { KEY_TYPES, MAX_BYTE_LIMIT, MAX_REQUEST_LIMIT } from '../keys/scope.ts';

/**
 * What goes over the wire, in StackState's shapes: times are epoch milliseconds, ids are int64 numbers (those made here
 * have 48 bits, which a double holds), absent fields are left out. Answers are strict, so that no field of a record gets
 * out by accident; requests may carry fields that are not known here, which are ignored.
 */

const epochMs = z.int().nonnegative().meta({ format: 'int64' });
const id = z.int().nonnegative().meta({ format: 'int64' });

const requestLimit = z.int().min(1).max(MAX_REQUEST_LIMIT).optional();
const byteLimit = z.int().min(1).max(MAX_BYTE_LIMIT).optional();

/** What a key may be limited to. StackState's shapes have none of it, so it is there only where it was asked for. */
const scope = {
  type: z
    .enum(KEY_TYPES)
    .optional()
    .describe('rum: for pages in browsers, taken over OTLP/HTTP only. sensor, thirdParty: taken on every route.'),
  signals: z.array(z.enum(SIGNALS)).optional().describe('What it may send. Without it: everything.'),
  cidrs: z
    .array(z.string())
    .optional()
    .describe('Networks or addresses that it may be used from, such as 10.0.0.0/8. Without it: all of them.'),
  origins: z
    .array(z.string())
    .optional()
    .describe(
      'Web origins that it may be used from, such as https://shop.example.com, or *. Without it: all, and none.',
    ),
  tenant: z.string().optional().describe('Told to the collector with each request.'),
  limits: z
    .strictObject({
      requestsPerSecond: requestLimit,
      requestBurst: requestLimit,
      bytesPerSecond: byteLimit,
      byteBurst: byteLimit,
    })
    .optional()
    .describe('How much it may send, on average and at once. A burst that is not given is what a second brings.'),
};

export const newIngestionKeySchema = z.object({
  name: z.string().describe('Unique among the live keys.'),
  description: z.string().optional(),
  expiration: epochMs.optional().describe('The key is dead from this instant on. Without it the key does not expire.'),
  ...scope,
});

export const ingestionKeySchema = z.strictObject({
  id,
  lastUpdateTimestamp: epochMs,
  name: z.string(),
  description: z.string().optional(),
  expiration: epochMs.optional(),
  ...scope,
});

export const generatedIngestionKeySchema = ingestionKeySchema.extend({
  apiKey: z.string().describe('The key itself: shown here, once, and never again.'),
});

export const authorizeRequestSchema = z.object({ apiKey: z.string().describe('The key to judge.') });

export const newServiceTokenSchema = z.object({
  name: z.string().describe('Unique among the live tokens.'),
  expiryDate: epochMs
    .optional()
    .describe('The token is dead from this instant on. Without it the token does not expire.'),
  roles: z.array(z.string()).min(1, 'must name at least one role'),
  dedicatedSubject: z.string().optional().describe('The user or service that the token is for.'),
});

export const serviceTokenSchema = z.strictObject({
  id,
  lastUpdateTimestamp: epochMs,
  name: z.string(),
  expiration: epochMs.optional(),
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
    ...scopeOf(record),
  };
}

function scopeOf({ type, signals, cidrs, origins, tenant, limits }: KeyRecord) {
  return {
    ...(type !== undefined && { type }),
    ...(signals !== undefined && { signals }),
    ...(cidrs !== undefined && { cidrs }),
    ...(origins !== undefined && { origins }),
    ...(tenant !== undefined && { tenant }),
    ...(limits !== undefined && { limits }),
  };
}

export function toServiceToken(record: KeyRecord): ServiceToken {
  return {
    ...common(record),
    roles: record.roles ?? [],
    ...(record.dedicatedSubject !== undefined && { dedicatedSubject: record.dedicatedSubject }),
  };
}

function common(record: KeyRecord) {
  const expiration = endsAt(record);
  return {
    id: Number(record.id),
    lastUpdateTimestamp: record.changedAt ?? record.createdAt,
    name: record.name,
    ...(expiration !== undefined && { expiration }),
  };
}
