import type { Gate } from '../gate.ts';
import type { KeyService } from '../keys/service.ts';
import type { ReplicaStore } from '../store/replica-port.ts';
import { row } from '../verdict/reasons.ts';
import { NO_CONTENT, errors, forbidden, notLetIn } from './answer.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf, readId } from './caller.ts';
import { readDeletion } from './list-query.ts';
import { propagationOf, readWait } from './propagation.ts';
import { permissionsLacking, unknownRolesFault } from './roles.ts';
import type { Call } from './route.ts';
import {
  authorizeRequestSchema,
  newIngestionKeySchema,
  newServiceTokenSchema,
  toIngestionKey,
  toServiceToken,
} from './schemas.ts';

export interface OperationOptions {
  readonly gate: Gate;
  readonly service: KeyService;
  readonly replicas: ReplicaStore;
  readonly now: () => number;
}

export type Operations = ReturnType<typeof createOperations>;

/** What the routes do, each taking a call that was let in. Faults of the key service are thrown, and answered outside. */
export function createOperations({ gate, service, replicas, now }: OperationOptions) {
  const stamp = { now };

  async function createIngestionKey(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, newIngestionKeySchema);
    if ('refused' in parsed) return parsed.refused;
    const { expiration: expiresAt, ...key } = parsed.value;
    const { record, text } = await service.create({ ...key, kind: 'ingestion', expiresAt }, actorOf(call));
    return { status: 200, body: { ...toIngestionKey(record), apiKey: text } };
  }

  async function deleteIngestionKey(call: Call): Promise<Answer> {
    return remove('ingestion', call);
  }

  /** The answer has no body and no reason: a caller must not learn whether a key expired or never existed. */
  async function authorize({ request, query }: Call): Promise<Answer> {
    const parsed = await readBody(stamp, request, authorizeRequestSchema);
    if ('refused' in parsed) return parsed.refused;
    const { decision } = await gate.judgeKey(parsed.value.apiKey, { to: 'ask' });
    if (decision.verdict === 'allow') {
      const { kind } = decision.key;
      const counts = kind === 'ingestion' || (kind === 'receiver' && query.get('withReceiverKey') === 'true');
      return counts ? NO_CONTENT : { status: 403 };
    }
    return row(decision.reason).http === 403 ? { status: 403 } : notLetIn(stamp, decision.reason);
  }

  async function createServiceToken(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, newServiceTokenSchema);
    if ('refused' in parsed) return parsed.refused;
    const { name, roles, dedicatedSubject, expiryDate: expiresAt } = parsed.value;
    const fault = unknownRolesFault(roles);
    if (fault !== undefined) return errors(stamp, 400, 'InvalidRequest', [fault]);
    const lacking = permissionsLacking(call.caller?.roles ?? [], roles);
    if (lacking.length > 0) {
      return forbidden(stamp, `A token cannot give what it lacks itself: ${lacking.join(', ')}.`);
    }
    const key = { kind: 'service', name, roles, owner: dedicatedSubject, expiresAt } as const;
    const { record, text } = await service.create(key, actorOf(call));
    return { status: 200, body: { ...toServiceToken(record), token: text } };
  }

  async function deleteServiceToken(call: Call): Promise<Answer> {
    return remove('service', call);
  }

  async function remove(kind: 'ingestion' | 'service', call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    if ('refused' in id) return id.refused;
    const wait = readWait(stamp, call.query);
    if ('refused' in wait) return wait.refused;
    const revocation = readDeletion(stamp, call.query);
    if ('refused' in revocation) return revocation.refused;
    const { force = true } = revocation.value;
    const { digest } = await service.revoke(kind, id.value, actorOf(call), { force });
    const propagation = await propagationOf(digest, wait.value, replicas);
    return propagation === undefined ? NO_CONTENT : { status: 200, body: propagation };
  }

  return {
    createIngestionKey,
    deleteIngestionKey,
    authorize,
    createServiceToken,
    deleteServiceToken,
  };
}
