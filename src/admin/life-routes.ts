import { z } from 'zod';
import type { LifeOperations } from './life-operations.ts';
import {
  auditLogEntrySchema,
  ingestionKeyDetailsSchema,
  ingestionKeyUpdateSchema,
  revealedIngestionKeySchema,
  rotatedIngestionKeySchema,
  rotatedServiceTokenSchema,
  rotationSchema,
  serviceTokenDetailsSchema,
  serviceTokenUpdateSchema,
} from './life-schemas.ts';
import { AUDIT_QUERY } from './list-query.ts';
import { WAIT_QUERY } from './propagation.ts';
import type { Permission } from './roles.ts';
import type { Route } from './route.ts';
import { BAD_REQUEST, errorsResponseSchema } from './schemas.ts';
import type { InvalidExpiryType } from './schemas.ts';

const NO_SUCH_ID = { description: 'There is no key or token with this id.', schema: errorsResponseSchema };
export const WRONG_STATE = {
  description: 'It is deleted, expired, replaced or disabled; or others change it at the same time.',
  schema: errorsResponseSchema,
};

/** The routes about the life of keys and tokens, and the audit log. */
export function createLifeRoutes(operations: LifeOperations): readonly Route[] {
  return [
    ...routesOn(operations.ingestionKeys, {
      path: '/api/security/ingestion/api_keys/{id}',
      what: 'ingestion API key',
      name: 'IngestionApiKey',
      permissions: {
        get: 'get-ingestion-api-keys',
        update: 'update-ingestion-api-keys',
        rotate: 'rotate-ingestion-api-keys',
      },
      invalidExpiry: 'IngestionApiKeyInvalidExpiryError',
      details: ingestionKeyDetailsSchema,
      rotated: rotatedIngestionKeySchema,
    }),
    {
      method: 'PATCH',
      path: '/api/security/ingestion/api_keys/{id}',
      access: 'update-ingestion-api-keys',
      operationId: 'updateIngestionApiKey',
      summary: 'Change an ingestion API key. What is not sent stays as it is.',
      body: ingestionKeyUpdateSchema,
      invalidExpiry: 'IngestionApiKeyInvalidExpiryError',
      answers: {
        200: { description: 'The key as it is now.', schema: ingestionKeyDetailsSchema },
        400: BAD_REQUEST,
        404: NO_SUCH_ID,
        409: WRONG_STATE,
      },
      handle: operations.updateIngestionKey,
    },
    {
      method: 'POST',
      path: '/api/security/ingestion/api_keys/{id}/reveal',
      access: 'reveal-ingestion-api-keys',
      operationId: 'revealIngestionApiKey',
      summary: 'Show an ingestion API key again, if keys of its type were declared revealable when it was made.',
      answers: {
        200: { description: 'The key. That it was shown is in the audit log.', schema: revealedIngestionKeySchema },
        400: BAD_REQUEST,
        404: NO_SUCH_ID,
        409: {
          description: 'No copy of it was kept, or the encryption key of the copy is missing, or it is dead.',
          schema: errorsResponseSchema,
        },
      },
      handle: operations.revealIngestionKey,
    },
    ...routesOn(operations.serviceTokens, {
      path: '/api/security/tokens/{id}',
      what: 'service token',
      name: 'ServiceToken',
      permissions: { get: 'get-service-tokens', update: 'update-service-tokens', rotate: 'rotate-service-tokens' },
      invalidExpiry: 'ServiceTokenInvalidExpiryError',
      details: serviceTokenDetailsSchema,
      rotated: rotatedServiceTokenSchema,
    }),
    {
      method: 'PATCH',
      path: '/api/security/tokens/{id}',
      access: 'update-service-tokens',
      operationId: 'updateServiceToken',
      summary: 'Change when a service token expires. What is not sent stays as it is.',
      body: serviceTokenUpdateSchema,
      invalidExpiry: 'ServiceTokenInvalidExpiryError',
      answers: {
        200: { description: 'The token as it is now.', schema: serviceTokenDetailsSchema },
        400: BAD_REQUEST,
        404: NO_SUCH_ID,
        409: WRONG_STATE,
      },
      handle: operations.updateServiceToken,
    },
    {
      method: 'GET',
      path: '/api/security/audit',
      access: 'get-audit',
      operationId: 'getAudit',
      summary: 'Who changed which key or token, when, from where, and how; newest first.',
      query: AUDIT_QUERY,
      answers: {
        200: { description: 'The entries.', schema: z.array(auditLogEntrySchema) },
        400: BAD_REQUEST,
      },
      handle: operations.readAudit,
    },
  ];
}

/** One kind of key, as its routes are described. */
interface Kind {
  readonly path: string;
  readonly what: string;
  /** In operation ids. */
  readonly name: string;
  readonly permissions: Readonly<Record<'get' | 'update' | 'rotate', Permission>>;
  readonly invalidExpiry: InvalidExpiryType;
  readonly details: z.ZodType;
  readonly rotated: z.ZodType;
}

function routesOn(operations: LifeOperations['ingestionKeys'], kind: Kind): Route[] {
  const { path, what, name, permissions, invalidExpiry, details, rotated } = kind;
  const asItIs = { description: 'It as it is now.', schema: details };
  return [
    {
      method: 'GET',
      path,
      access: permissions.get,
      operationId: `get${name}`,
      summary: `All about one ${what}, as long as it is remembered, but not the text itself.`,
      answers: { 200: asItIs, 400: BAD_REQUEST, 404: NO_SUCH_ID },
      handle: operations.get,
    },
    {
      method: 'POST',
      path: `${path}/rotate`,
      access: permissions.rotate,
      operationId: `rotate${name}`,
      summary: `Replace this ${what} by a new one with the same settings; the old one goes on working for a while.`,
      query: [WAIT_QUERY],
      body: rotationSchema,
      invalidExpiry,
      answers: {
        200: { description: 'The new one, shown here and never again, and the old one.', schema: rotated },
        400: BAD_REQUEST,
        404: NO_SUCH_ID,
        409: WRONG_STATE,
      },
      handle: operations.rotate,
    },
    {
      method: 'POST',
      path: `${path}/disable`,
      access: permissions.update,
      operationId: `disable${name}`,
      summary: `Refuse whoever uses this ${what}, until it is enabled.`,
      query: [WAIT_QUERY],
      answers: { 200: asItIs, 400: BAD_REQUEST, 404: NO_SUCH_ID, 409: WRONG_STATE },
      handle: operations.disable,
    },
    {
      method: 'POST',
      path: `${path}/enable`,
      access: permissions.update,
      operationId: `enable${name}`,
      summary: `Let this ${what} be used again.`,
      query: [WAIT_QUERY],
      answers: { 200: asItIs, 400: BAD_REQUEST, 404: NO_SUCH_ID, 409: WRONG_STATE },
      handle: operations.enable,
    },
  ];
}
