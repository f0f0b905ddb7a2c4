import { z } from 'zod';
import { messageSchema, namedGroundcoverSchemas } from './groundcover.ts';
import { namedLifeSchemas } from './life-schemas.ts';
import { namedLogLevelSchemas } from './log-level.ts';
import { namedOwnerSchemas } from './owner-schemas.ts';
import { PERMISSIONS } from './roles.ts';
import type { Access, AnswerShape, Route } from './route.ts';
import { errorsResponseSchema, namedSchemas } from './schemas.ts';
import { namedTransferSchemas } from './transfer-schemas.ts';

const allNamedSchemas = {
  ...namedSchemas,
  ...namedLifeSchemas,
  ...namedOwnerSchemas,
  ...namedTransferSchemas,
  ...namedLogLevelSchemas,
  ...namedGroundcoverSchemas,
};

/** The OpenAPI 3.1 document, made from the route table and the schemas that the routes work with: it cannot drift. */
export function createOpenApiDocument(routes: readonly Route[], version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Keygate admin API',
      version,
      description:
        'Manages the ingestion API keys of Keygate, their owners and its service tokens, in the shapes of StackState’s API.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: Object.fromEntries(
      [...new Set(routes.map(({ path }) => path))].map((path) => [
        path,
        Object.fromEntries(
          routes.filter((route) => route.path === path).map((route) => [route.method.toLowerCase(), operation(route)]),
        ),
      ]),
    ),
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        ApiKeyAuthorization: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'Authorization: ApiKey <service token>',
        },
        ApiKeyHeader: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'X-API-Key: <service token>' },
        Bearer: { type: 'http', scheme: 'bearer', description: 'Authorization: Bearer <service token>' },
      },
    },
  };
}

const TOKEN_SECURITY = [{ ApiKeyAuthorization: [] }, { ApiKeyHeader: [] }, { Bearer: [] }];

function operation(route: Route): Record<string, unknown> {
  const idParameter = {
    name: 'id',
    in: 'path',
    required: true,
    description: 'The id that the list shows.',
    schema: { type: 'integer', format: 'int64' },
  };
  const parameters = [
    ...(route.path.includes('{id}') ? [idParameter] : []),
    ...(route.query ?? []).map(({ name, description, schema }) => ({
      name,
      in: 'query',
      description,
      schema: schemaOf(schema),
    })),
  ];
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: accessText(route.access),
    security: route.access === 'public' ? [] : TOKEN_SECURITY,
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && { requestBody: { required: true, content: json(route.body) } }),
    responses: Object.fromEntries(
      Object.entries({ ...sharedAnswers(route), ...route.answers }).map(([status, { description, schema }]) => [
        status,
        { description, ...(schema && { content: json(schema) }) },
      ]),
    ),
  };
}

function accessText(access: Access): string {
  if (access === 'public') return 'Needs no token.';
  if (access === 'token') return 'Needs a valid service token, with any role.';
  return `Needs the permission ${access}. ${PERMISSIONS[access]}`;
}

/** What every route may answer besides its own, by what it asks of its caller. */
function sharedAnswers({ access, body, errorForm }: Route): Record<number, AnswerShape> {
  const schema = errorForm === 'message' ? messageSchema : errorsResponseSchema;
  return {
    ...(access !== 'public' && {
      401: { description: 'No valid service token was sent.', schema },
      403: { description: 'The token is valid but may not do this.', schema },
      503: { description: 'The key store is away, so nothing could be checked. See Retry-After.', schema },
    }),
    ...(body && {
      413: { description: 'The body is too large.', schema },
      415: { description: 'The body is not declared as application/json.', schema },
    }),
    500: { description: 'A fault of Keygate. The log has its cause under the trackingKey.', schema },
  };
}

function json(schema: z.ZodType): Record<string, unknown> {
  return { 'application/json': { schema: schemaOf(schema) } };
}

const names = new Map<z.ZodType, string>(Object.entries(allNamedSchemas).map(([name, schema]) => [schema, name]));

const uriOf = (name: string): string => `#/components/schemas/${name}`;

/** A schema by its name where it has one; arrays and unions by the names of what is in them. */
function schemaOf(schema: z.ZodType): Record<string, unknown> {
  const name = names.get(schema);
  if (name !== undefined) return { $ref: uriOf(name) };
  if (schema instanceof z.ZodUnion) {
    return { anyOf: schema.options.map((option) => (option instanceof z.ZodType ? schemaOf(option) : {})) };
  }
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodType) {
    return { type: 'array', items: schemaOf(schema.element) };
  }
  return withoutMarks(z.toJSONSchema(schema, { io: 'input' }));
}

function componentSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(allNamedSchemas)) registry.add(schema, { id: name });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: uriOf });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutMarks(schema)]));
}

/** The dialect is that of OpenAPI 3.1 itself, and inside components the place is the name. */
function withoutMarks(schema: object): Record<string, unknown> {
  const { $schema: _dialect, $id: _place, ...rest } = schema as Record<string, unknown>;
  return rest;
}
