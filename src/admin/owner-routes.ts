import { z } from 'zod';
import { WRONG_STATE } from './life-routes.ts';
import { KEY_QUERY, OWNER_DELETION_QUERY } from './list-query.ts';
import type { OwnerOperations } from './owner-operations.ts';
import { newOwnerSchema, ownerDetailsSchema, ownerSchema, ownerUpdateSchema } from './owner-schemas.ts';
import { WAIT_QUERY } from './propagation.ts';
import type { Permission } from './roles.ts';
import type { Route } from './route.ts';
import { BAD_REQUEST, errorsResponseSchema } from './schemas.ts';

const KEYS_IN_USE =
  'It is not locked, and keys of it were used within the last hour, or there are too many keys to tell; force is not true.';

/** One kind of owner, as its routes are described. */
interface Kind {
  readonly path: string;
  /** "service id" */
  readonly one: string;
  /** In operation ids: "ServiceId" */
  readonly name: string;
  readonly permissions: Readonly<Record<'get' | 'create' | 'update' | 'delete', Permission>>;
}

export interface OwnersOperations {
  readonly serviceIds: OwnerOperations;
  readonly users: OwnerOperations;
}

/** The routes about the owners of keys. */
export function createOwnerRoutes({ serviceIds, users }: OwnersOperations): readonly Route[] {
  return [
    ...routesOn(serviceIds, {
      path: '/api/security/service_ids',
      one: 'service id',
      name: 'ServiceId',
      permissions: {
        get: 'get-service-ids',
        create: 'create-service-ids',
        update: 'update-service-ids',
        delete: 'delete-service-ids',
      },
    }),
    ...routesOn(users, {
      path: '/api/security/users',
      one: 'user',
      name: 'User',
      permissions: { get: 'get-users', create: 'create-users', update: 'update-users', delete: 'delete-users' },
    }),
  ];
}

function routesOn(operations: OwnerOperations, { path, one, name, permissions }: Kind): Route[] {
  const asItIs = { description: 'It as it is now, and how many keys go with it.', schema: ownerDetailsSchema };
  const noSuchId = { description: `There is no ${one} with this id.`, schema: errorsResponseSchema };
  const onOne = { 200: asItIs, 400: BAD_REQUEST, 404: noSuchId };
  return [
    {
      method: 'GET',
      path,
      access: permissions.get,
      operationId: `get${name}s`,
      summary: `List the ${one}s: owners of keys.`,
      query: KEY_QUERY,
      answers: {
        200: { description: 'Those that were not deleted; with all=true, all of them.', schema: z.array(ownerSchema) },
        400: BAD_REQUEST,
      },
      handle: operations.list,
    },
    {
      method: 'POST',
      path,
      access: permissions.create,
      operationId: `create${name}`,
      summary: `Create a ${one}, to be the owner of keys.`,
      body: newOwnerSchema,
      answers: {
        200: asItIs,
        400: BAD_REQUEST,
        409: { description: `A live ${one} has this name already.`, schema: errorsResponseSchema },
      },
      handle: operations.create,
    },
    {
      method: 'GET',
      path: `${path}/{id}`,
      access: permissions.get,
      operationId: `get${name}`,
      summary: `All about one ${one}, as long as it is remembered.`,
      answers: onOne,
      handle: operations.get,
    },
    {
      method: 'PATCH',
      path: `${path}/{id}`,
      access: permissions.update,
      operationId: `update${name}`,
      summary: `Change the description or the roles of a ${one}. What is not sent stays as it is.`,
      body: ownerUpdateSchema,
      answers: { ...onOne, 409: WRONG_STATE },
      handle: operations.update,
    },
    {
      method: 'DELETE',
      path: `${path}/{id}`,
      access: permissions.delete,
      operationId: `delete${name}`,
      summary: `Delete a ${one}, for good: all its keys and tokens are refused from then on.`,
      query: [...OWNER_DELETION_QUERY, WAIT_QUERY],
      answers: { ...onOne, 409: { description: KEYS_IN_USE, schema: errorsResponseSchema } },
      handle: operations.remove,
    },
    {
      method: 'POST',
      path: `${path}/{id}/lock`,
      access: permissions.update,
      operationId: `lock${name}`,
      summary: `Refuse all keys and tokens of a ${one}, until it is unlocked.`,
      query: [WAIT_QUERY],
      answers: { ...onOne, 409: WRONG_STATE },
      handle: operations.lock,
    },
    {
      method: 'POST',
      path: `${path}/{id}/unlock`,
      access: permissions.update,
      operationId: `unlock${name}`,
      summary: `Take the keys and tokens of a ${one} again.`,
      query: [WAIT_QUERY],
      answers: { ...onOne, 409: WRONG_STATE },
      handle: operations.unlock,
    },
  ];
}
