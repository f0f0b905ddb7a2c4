import { z } from 'zod';
import type { Answer } from './answer.ts';
import { explainRequestSchema, explanationSchema } from './explain.ts';
import type { LifeOperations } from './life-operations.ts';
import { createLifeRoutes } from './life-routes.ts';
import { ingestionKeyDetailsSchema, serviceTokenDetailsSchema } from './life-schemas.ts';
import { KEY_DELETION_QUERY, KEY_QUERY } from './list-query.ts';
import { logLevelSchema, newLogLevelSchema } from './log-level.ts';
import type { LogLevelOperations } from './log-level.ts';
import { createOpenApiDocument } from './openapi.ts';
import type { Operations } from './operations.ts';
import { createOwnerRoutes } from './owner-routes.ts';
import type { OwnersOperations } from './owner-routes.ts';
import { overviewSchema } from './overview.ts';
import { propagationSchema, WAIT_QUERY } from './propagation.ts';
import type { Route } from './route.ts';
import {
  authorizeRequestSchema,
  BAD_REQUEST,
  createdServiceTokenSchema,
  errorsResponseSchema,
  generatedIngestionKeySchema,
  ingestionKeySchema,
  newIngestionKeySchema,
  newServiceTokenSchema,
  serverInfoSchema,
  serverStatusSchema,
  serviceTokenSchema,
} from './schemas.ts';
import type { ServerInfo } from './schemas.ts';
import { TRAFFIC_QUERY, trafficSchema } from './traffic.ts';
import type { TransferOperations } from './transfer-operations.ts';
import { createTransferRoutes } from './transfer-routes.ts';

const NO_SUCH_ID = { description: 'There is no live key or token with this id.', schema: errorsResponseSchema };
/** What the deletion of a key and of a token have in common. */
const DELETION = {
  query: [...KEY_DELETION_QUERY, WAIT_QUERY],
  answers: {
    200: { description: 'It is deleted, and was waited for.', schema: propagationSchema },
    204: { description: 'It is deleted.' },
    400: BAD_REQUEST,
    404: NO_SUCH_ID,
    409: { description: 'It was used within the last hour, and force is false.', schema: errorsResponseSchema },
  },
} as const;
const NAME_TAKEN = { description: 'A live key or token has this name already.', schema: errorsResponseSchema };

/** Every route of the admin API: its row says who may call it, what it does, and how the OpenAPI document shows it. */
export function createRoutes(
  operations: Operations,
  life: LifeOperations,
  owners: OwnersOperations,
  transfer: TransferOperations,
  explain: Route['handle'],
  watching: Readonly<Record<'traffic' | 'overview', Route['handle']>>,
  logLevel: LogLevelOperations,
  groundcover: readonly Route[],
  serverInfo: ServerInfo,
): readonly Route[] {
  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: '/api/security/ingestion/api_keys',
      access: 'get-ingestion-api-keys',
      operationId: 'getIngestionApiKeys',
      summary: 'List ingestion API keys, without the keys themselves.',
      query: KEY_QUERY,
      answers: {
        200: {
          description: 'The keys that were not deleted or replaced; with all=true, every one with its details.',
          schema: z.union([z.array(ingestionKeySchema), z.array(ingestionKeyDetailsSchema)]),
        },
        400: BAD_REQUEST,
      },
      handle: life.ingestionKeys.list,
    },
    {
      method: 'POST',
      path: '/api/security/ingestion/api_keys',
      access: 'create-ingestion-api-keys',
      operationId: 'generateIngestionApiKey',
      summary: 'Create an ingestion API key. The answer is the only place where it is ever shown.',
      body: newIngestionKeySchema,
      invalidExpiry: 'IngestionApiKeyInvalidExpiryError',
      answers: {
        200: { description: 'The new key.', schema: generatedIngestionKeySchema },
        400: BAD_REQUEST,
        409: NAME_TAKEN,
      },
      handle: operations.createIngestionKey,
    },
    {
      method: 'DELETE',
      path: '/api/security/ingestion/api_keys/{id}',
      access: 'delete-ingestion-api-keys',
      operationId: 'deleteIngestionApiKey',
      summary: 'Delete an ingestion API key. Whoever sends with it is refused from then on.',
      ...DELETION,
      handle: operations.deleteIngestionKey,
    },
    {
      method: 'POST',
      path: '/api/security/ingestion/authorize',
      access: 'authorize-ingestion-api-keys',
      operationId: 'authorizeIngestionApiKey',
      summary: 'Ask whether a key may send.',
      query: [
        {
          name: 'withReceiverKey',
          description: 'true: Receiver API keys count as well.',
          schema: z.boolean().default(false),
        },
      ],
      body: authorizeRequestSchema,
      answers: {
        204: { description: 'The key may send.' },
        400: BAD_REQUEST,
        403: {
          description: 'The key may not send (no body), or the caller may not ask (ErrorsResponse).',
          schema: errorsResponseSchema,
        },
      },
      handle: operations.authorize,
    },
    {
      method: 'GET',
      path: '/api/security/tokens',
      access: 'get-service-tokens',
      operationId: 'getServiceTokens',
      summary: 'List service tokens, without the tokens themselves.',
      query: KEY_QUERY,
      answers: {
        200: {
          description: 'The tokens that were not deleted or replaced; with all=true, every one with its details.',
          schema: z.union([z.array(serviceTokenSchema), z.array(serviceTokenDetailsSchema)]),
        },
        400: BAD_REQUEST,
      },
      handle: life.serviceTokens.list,
    },
    {
      method: 'POST',
      path: '/api/security/tokens',
      access: 'create-service-tokens',
      operationId: 'createNewServiceToken',
      summary: 'Create a service token. The answer is the only place where it is ever shown.',
      body: newServiceTokenSchema,
      invalidExpiry: 'ServiceTokenInvalidExpiryError',
      answers: {
        200: { description: 'The new token.', schema: createdServiceTokenSchema },
        400: BAD_REQUEST,
        409: NAME_TAKEN,
      },
      handle: operations.createServiceToken,
    },
    {
      method: 'DELETE',
      path: '/api/security/tokens/{id}',
      access: 'delete-service-tokens',
      operationId: 'deleteServiceToken',
      summary: 'Delete a service token. It opens nothing from then on.',
      ...DELETION,
      handle: operations.deleteServiceToken,
    },
    ...createLifeRoutes(life),
    ...createOwnerRoutes(owners),
    ...createTransferRoutes(transfer),
    {
      method: 'POST',
      path: '/api/security/explain',
      access: 'explain-keys',
      operationId: 'explainKey',
      summary: 'Ask each live gateway what it would say to a key, by its id or its digests, when it is used like this.',
      body: explainRequestSchema,
      answers: {
        200: { description: 'What each gateway, and the store, would say.', schema: explanationSchema },
        400: BAD_REQUEST,
        404: NO_SUCH_ID,
      },
      handle: explain,
    },
    {
      method: 'GET',
      path: '/api/traffic',
      access: 'get-traffic',
      operationId: 'getTraffic',
      summary: 'The requests that pass this gateway, by verdict and reason, and who is refused most.',
      query: TRAFFIC_QUERY,
      answers: {
        200: { description: 'What was counted since it started.', schema: trafficSchema },
        400: BAD_REQUEST,
      },
      handle: watching.traffic,
    },
    {
      method: 'GET',
      path: '/api/overview',
      access: 'get-traffic',
      operationId: 'getOverview',
      summary:
        'The state of this gateway: its memory, its key store, its change feed, its collectors, and who else shares the store.',
      answers: { 200: { description: 'The state at this moment.', schema: overviewSchema } },
      handle: watching.overview,
    },
    {
      method: 'GET',
      path: '/api/log-level',
      access: 'get-log-level',
      operationId: 'getLogLevel',
      summary: 'How much this gateway writes to its log.',
      answers: { 200: { description: 'The level that holds now.', schema: logLevelSchema } },
      handle: logLevel.get,
    },
    {
      method: 'PUT',
      path: '/api/log-level',
      access: 'update-log-level',
      operationId: 'setLogLevel',
      summary: 'Change how much this gateway writes to its log, for a while or until it is restarted.',
      body: newLogLevelSchema,
      answers: { 200: { description: 'The level that holds now.', schema: logLevelSchema }, 400: BAD_REQUEST },
      handle: logLevel.set,
    },
    {
      method: 'GET',
      path: '/api/server/info',
      access: 'token',
      operationId: 'serverInfo',
      summary: 'What this server is. Any valid service token may ask: the cheapest way to try one.',
      answers: { 200: { description: 'The server.', schema: serverInfoSchema } },
      handle: () => ({ status: 200, body: serverInfo }),
    },
    {
      method: 'GET',
      path: '/api/server/status',
      access: 'token',
      operationId: 'serverStatus',
      summary: 'Whether the admin API answers.',
      answers: { 200: { description: 'It does.', schema: serverStatusSchema } },
      handle: () => ({ status: 200, body: { status: 'OK', version: serverInfo.platformVersion } }),
    },
    ...groundcover,
    {
      method: 'GET',
      path: '/api/openapi.json',
      access: 'public',
      operationId: 'openapi',
      summary: 'This document.',
      answers: { 200: { description: 'An OpenAPI 3.1 document.', schema: z.looseObject({}) } },
      handle: (): Answer => ({ status: 200, body: createOpenApiDocument(routes, serverInfo.platformVersion) }),
    },
  ];
  return routes;
}
