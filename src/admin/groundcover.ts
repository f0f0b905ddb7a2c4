import { z } from 'zod';
import { isLive, holdsName } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import { KEY_TYPES } from '../keys/scope.ts';
import { KeyServiceError } from '../keys/service-error.ts';
import type { KeyService } from '../keys/service.ts';
import { errors } from './answer.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf } from './caller.ts';
import { permissionsOf } from './roles.ts';
import type { Call, Route } from './route.ts';

/**
 * The ingestion keys once more, in the shapes of groundcover's API, for its SDKs, its Terraform provider and its command line:
 * keys go by their names, and their texts are in every answer, as far as keys of their type are revealable.
 */

const type = z.enum(KEY_TYPES, `must be one of ${KEY_TYPES.join(', ')}`);
/** SDKs write what they were not given as null, or leave it out. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const newKeySchema = z.strictObject({
  name: z.string().describe('Unique among the live keys.'),
  type,
  remoteConfig: maybe(z.boolean()).describe('true for sensor, and false for the others: the type says it.'),
  tags: maybe(z.array(z.string())).describe('Words to know it by; they decide nothing.'),
});

const filterSchema = z.strictObject({
  name: maybe(z.string()).describe('The whole name.'),
  type: maybe(z.union([type, z.literal('')], `must be one of ${KEY_TYPES.join(', ')}`)).describe('Only this type.'),
  remoteConfig: maybe(z.boolean()).describe('true: those that read remote configuration; false: the others.'),
});

const nameSchema = z.strictObject({ name: z.string().describe('Of the key, or of all live keys of this name.') });

const keySchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  createdBy: z.string(),
  key: z.string().optional().describe('Absent where keys of this type cannot be revealed, or the caller may not.'),
  type: type.optional(),
  remoteConfig: z.boolean(),
  tags: z.array(z.string()),
});

export const messageSchema = z.strictObject({ message: z.string() });

export const namedGroundcoverSchemas = {
  GroundcoverNewIngestionKey: newKeySchema,
  GroundcoverIngestionKeyFilter: filterSchema,
  GroundcoverIngestionKeyName: nameSchema,
  GroundcoverIngestionKey: keySchema,
  GroundcoverMessage: messageSchema,
};

/** Each text that is given out is an entry of the audit log; a longer list comes without any. */
const MAX_REVEALED = 100;

/** Why a key is shown without its text: it cannot be had, or the key was deleted meanwhile. */
const WITHOUT_TEXT: ReadonlySet<string> = new Set([
  'not_revealable',
  'encryption_key_missing',
  'wrong_state',
  'not_found',
]);

export interface GroundcoverOptions {
  readonly service: KeyService;
  readonly now: () => number;
}

export function createGroundcoverRoutes({ service, now }: GroundcoverOptions): readonly Route[] {
  const stamp = { now };

  async function create(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, newKeySchema);
    if ('refused' in parsed) return parsed.refused;
    const { name, type: keyType, remoteConfig, tags = [] } = parsed.value;
    if (remoteConfig !== undefined && remoteConfig !== reads(keyType)) {
      const message = 'remoteConfig: keys of type sensor read remote configuration, and no others do. Leave it out.';
      return errors(stamp, 400, 'InvalidRequest', [message]);
    }
    const key = { kind: 'ingestion', name, type: keyType, ...(tags.length > 0 && { tags }) } as const;
    const { record, text } = await service.create(key, actorOf(call));
    return { status: 201, body: toKey(record, text) };
  }

  async function list(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, filterSchema);
    if ('refused' in parsed) return parsed.refused;
    const { name, type: keyType, remoteConfig } = parsed.value;
    const found = (await liveNamed(name || undefined)).filter(
      (record) =>
        holdsName(record, now()) &&
        (!keyType || record.type === keyType) &&
        (remoteConfig === undefined || remoteConfig === reads(record.type)),
    );
    const mayReveal = permissionsOf(call.caller?.roles ?? []).has('reveal-ingestion-api-keys');
    const isRevealed = mayReveal && found.length <= MAX_REVEALED;
    const keys: unknown[] = [];
    for (const record of found) keys.push(toKey(record, isRevealed ? await textOf(record, call) : undefined));
    return { status: 200, body: keys };
  }

  /** For good and at once, used or not: that is what it means there. */
  async function remove(call: Call): Promise<Answer> {
    // Its SDK for TypeScript takes the Content-Type from every DELETE, also from one with a body.
    const parsed = await readBody(stamp, call.request, nameSchema, { untyped: true });
    if ('refused' in parsed) return parsed.refused;
    const { name } = parsed.value;
    // A key and the one that takes its place have one name for a while.
    const found = await liveNamed(name);
    if (found.length === 0) throw new KeyServiceError('not_found', `There is no ingestion key named "${name}".`);
    for (const { id } of found) await service.revoke('ingestion', id, actorOf(call), { force: true });
    return { status: 202 };
  }

  async function liveNamed(name: string | undefined): Promise<KeyRecord[]> {
    // What a list looks for is a part of a name, or a pattern: more than is wanted here.
    const query = name === undefined || /[*?]/.test(name) ? {} : { name };
    const nowMs = now();
    const records = await service.list('ingestion', query);
    return records.filter((record) => isLive(record, nowMs) && (name === undefined || record.name === name));
  }

  async function textOf({ id }: KeyRecord, call: Call): Promise<string | undefined> {
    try {
      return (await service.reveal(id, actorOf(call))).text;
    } catch (error) {
      if (error instanceof KeyServiceError && WITHOUT_TEXT.has(error.code)) return undefined;
      throw error;
    }
  }

  const refusals = {
    400: { description: 'The request is faulty; each fault is named.', schema: messageSchema },
  };
  return [
    {
      method: 'POST',
      path: '/api/rbac/ingestion-keys/create',
      access: 'create-ingestion-api-keys',
      operationId: 'groundcoverCreateIngestionKey',
      summary: 'Create an ingestion key, as groundcover’s clients do.',
      body: newKeySchema,
      answers: {
        201: { description: 'The new key, with its text.', schema: keySchema },
        ...refusals,
        409: { description: 'A live key has this name already.', schema: messageSchema },
      },
      errorForm: 'message',
      handle: create,
    },
    {
      method: 'POST',
      path: '/api/rbac/ingestion-keys/list',
      access: 'get-ingestion-api-keys',
      operationId: 'groundcoverListIngestionKeys',
      summary:
        'List live ingestion keys by exact filters. Up to 100 come with their texts, which takes the permission ' +
        'reveal-ingestion-api-keys, keys of a revealable type, and an entry in the audit log for each.',
      body: filterSchema,
      answers: { 200: { description: 'The keys, by name.', schema: z.array(keySchema) }, ...refusals },
      errorForm: 'message',
      handle: list,
    },
    {
      method: 'DELETE',
      path: '/api/rbac/ingestion-keys/delete',
      access: 'delete-ingestion-api-keys',
      operationId: 'groundcoverDeleteIngestionKey',
      summary: 'Delete an ingestion key by its name, used or not.',
      body: nameSchema,
      answers: {
        202: { description: 'It is deleted.' },
        ...refusals,
        404: { description: 'There is no live key of this name.', schema: messageSchema },
      },
      errorForm: 'message',
      handle: remove,
    },
  ];
}

function reads(keyType: KeyRecord['type']): boolean {
  return keyType === 'sensor';
}

function toKey(
  { id, name, createdBy, type: keyType, tags = [] }: KeyRecord,
  key: string | undefined,
): z.input<typeof keySchema> {
  return {
    id,
    name,
    createdBy,
    ...(key !== undefined && { key }),
    ...(keyType !== undefined && { type: keyType }),
    remoteConfig: reads(keyType),
    tags,
  };
}
