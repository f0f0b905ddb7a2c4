import { z } from 'zod';
import type { Gate } from '../gate.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import { row } from '../verdict/reasons.ts';
import { NO_CONTENT, errors, forbidden, notLetIn } from './answer.ts';
import type { Answer } from './answer.ts';
import { check, readBody } from './body.ts';
import { permissionsLacking, unknownRolesFault } from './roles.ts';
import type { Call } from './route.ts';
import {
  authorizeRequestSchema,
  newIngestionKeySchema,
  newServiceTokenSchema,
  toIngestionKey,
  toServiceToken,
} from './schemas.ts';

/** A change that was made through the admin API: what the operator's log has to tell. Holds no secret. */
export interface AdminChange {
  readonly action: 'created' | 'deleted';
  readonly what: 'ingestion-api-key' | 'service-token';
  readonly id: string;
  readonly name: string;
  /** Who did it: name and id of the service token used. */
  readonly by: string;
}

export interface OperationOptions {
  readonly gate: Gate;
  readonly service: KeyService;
  readonly now: () => number;
  readonly changed: (change: AdminChange) => void;
}

export type Operations = ReturnType<typeof createOperations>;

/** What the routes do, each taking a call that was let in. Faults of the key service are thrown, and answered outside. */
export function createOperations({ gate, service, now, changed }: OperationOptions) {
  const stamp = { now };

  async function listIngestionKeys(): Promise<Answer> {
    return { status: 200, body: (await service.list('ingestion')).map(toIngestionKey) };
  }

  async function createIngestionKey({ request, caller }: Call): Promise<Answer> {
    const parsed = await readBody(stamp, request, newIngestionKeySchema);
    if ('refused' in parsed) return parsed.refused;
    const { name, description, expiration: expiresAt } = parsed.value;
    const by = actorOf(caller);
    const { record, text } = await service.create({ kind: 'ingestion', name, description, expiresAt }, by);
    changed({ action: 'created', what: 'ingestion-api-key', id: record.id, name: record.name, by: by.name });
    return { status: 200, body: { ...toIngestionKey(record), apiKey: text } };
  }

  async function deleteIngestionKey(call: Call): Promise<Answer> {
    return remove('ingestion', call);
  }

  /** The answer has no body and no reason: a caller must not learn whether a key expired or never existed. */
  async function authorize({ request, query }: Call): Promise<Answer> {
    const parsed = await readBody(stamp, request, authorizeRequestSchema);
    if ('refused' in parsed) return parsed.refused;
    const { decision } = await gate.judgeKey(parsed.value.apiKey, { to: 'send' });
    if (decision.verdict === 'allow') {
      const counts = decision.key.kind === 'ingestion' || query.get('withReceiverKey') === 'true';
      return counts ? NO_CONTENT : { status: 403 };
    }
    return row(decision.reason).http === 403 ? { status: 403 } : notLetIn(stamp, decision.reason);
  }

  async function listServiceTokens(): Promise<Answer> {
    return { status: 200, body: (await service.list('service')).map(toServiceToken) };
  }

  async function createServiceToken({ request, caller }: Call): Promise<Answer> {
    const parsed = await readBody(stamp, request, newServiceTokenSchema);
    if ('refused' in parsed) return parsed.refused;
    const { name, roles, dedicatedSubject, expiryDate: expiresAt } = parsed.value;
    const fault = unknownRolesFault(roles);
    if (fault !== undefined) return errors(stamp, 400, 'InvalidRequest', [fault]);
    const lacking = permissionsLacking(caller?.roles ?? [], roles);
    if (lacking.length > 0) {
      return forbidden(stamp, `A token cannot give what it lacks itself: ${lacking.join(', ')}.`);
    }
    const by = actorOf(caller);
    const { record, text } = await service.create({ kind: 'service', name, roles, dedicatedSubject, expiresAt }, by);
    changed({ action: 'created', what: 'service-token', id: record.id, name: record.name, by: by.name });
    return { status: 200, body: { ...toServiceToken(record), token: text } };
  }

  async function deleteServiceToken(call: Call): Promise<Answer> {
    return remove('service', call);
  }

  async function remove(kind: 'ingestion' | 'service', call: Call): Promise<Answer> {
    const id = check(stamp, idSchema, { id: call.id });
    if ('refused' in id) return id.refused;
    const by = actorOf(call.caller);
    const record = await service.revoke(kind, id.value.id, by);
    const what = kind === 'ingestion' ? 'ingestion-api-key' : 'service-token';
    changed({ action: 'deleted', what, id: record.id, name: record.name, by: by.name });
    return NO_CONTENT;
  }

  return {
    listIngestionKeys,
    createIngestionKey,
    deleteIngestionKey,
    authorize,
    listServiceTokens,
    createServiceToken,
    deleteServiceToken,
  };
}

const idSchema = z.object({ id: z.string().regex(/^[0-9]{1,19}$/, 'must be the number that the list shows') });

function actorOf(caller: KeyRecord | undefined): { readonly name: string } {
  if (caller === undefined) throw new TypeError('a route that changes something must not be public');
  return { name: nameOf(caller) };
}

/** A service token as logs and records speak of it: names can be given anew, ids not. */
export function nameOf({ name, id }: KeyRecord): string {
  return `${name} (${id})`;
}
