import { z } from 'zod';
import type { KeyKind, KeyRecord } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import type { Answer } from './answer.ts';
import { check, readBody } from './body.ts';
import { actorOf } from './caller.ts';
import { count, flag } from './list-query.ts';
import { permissionsLacking, permissionsOf, unknownRolesFault } from './roles.ts';
import type { Permission } from './roles.ts';
import type { Call } from './route.ts';
import { DEFAULT_EXPORT_LIMIT, importRequestSchema, MAX_EXPORT_LIMIT } from './transfer-schemas.ts';

export interface TransferOperationOptions {
  readonly service: KeyService;
  readonly now: () => number;
}

export type TransferOperations = ReturnType<typeof createTransferOperations>;

const exportQuerySchema = z.object({
  after: z.string().max(1_000, 'must be what "next" was').optional(),
  limit: count(1, MAX_EXPORT_LIMIT).default(DEFAULT_EXPORT_LIMIT),
  all: flag.optional(),
});

/** Carries keys from one store to another. */
export function createTransferOperations({ service, now }: TransferOperationOptions) {
  const stamp = { now };

  async function importKeys(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, importRequestSchema);
    if ('refused' in parsed) return parsed.refused;
    const { lines, dryRun = false } = parsed.value;
    const own = call.caller?.roles ?? [];
    const refusal = (record: KeyRecord) => powerFault(own, record);
    const results = await service.import({ lines, dryRun, refusal }, actorOf(call));
    return { status: 200, body: { results } };
  }

  async function exportKeys({ query }: Call): Promise<Answer> {
    const parsed = check(stamp, exportQuerySchema, Object.fromEntries(query));
    if ('refused' in parsed) return parsed.refused;
    return { status: 200, body: await service.export(parsed.value) };
  }

  return { importKeys, exportKeys };
}

/**
 * Importing a token whose text one knows gives its power, as creating it would: the same is asked for it. An owner may let
 * keys send that were stopped.
 */
function powerFault(own: readonly string[], { kind, roles = [] }: KeyRecord): string | undefined {
  const needed = PERMISSION_TO_CREATE[kind];
  if (needed !== undefined && !permissionsOf(own).has(needed)) return `the permission ${needed} is needed for it too`;
  if (kind !== 'service') return undefined;
  const lacking = permissionsLacking(own, roles);
  const lack = lacking.length === 0 ? undefined : `a token cannot give what it lacks itself: ${lacking.join(', ')}`;
  return unknownRolesFault(roles) ?? lack;
}

const PERMISSION_TO_CREATE: Readonly<Partial<Record<KeyKind, Permission>>> = {
  ingestion: 'create-ingestion-api-keys',
  service: 'create-service-tokens',
  serviceId: 'create-service-ids',
  user: 'create-users',
};
