import type { KeyRecord, OwnerKind } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf, readId } from './caller.ts';
import type { ReplicaStore } from '../store/replica-port.ts';
import { readDeletion, readKeyQuery } from './list-query.ts';
import { newOwnerSchema, ownerUpdateSchema, toOwner, toOwnerDetails } from './owner-schemas.ts';
import { propagationOf, readWait } from './propagation.ts';
import type { Call } from './route.ts';

export interface OwnerOperationOptions {
  readonly service: KeyService;
  readonly replicas: ReplicaStore;
  readonly now: () => number;
}

export type OwnerOperations = ReturnType<typeof createOwnerOperations>;

/** What the routes do to owners of one kind. */
export function createOwnerOperations(kind: OwnerKind, { service, replicas, now }: OwnerOperationOptions) {
  const stamp = { now };

  /** The owner, and how many keys go with it. */
  async function told(record: KeyRecord, waitMs?: number): Promise<Answer> {
    const propagation = await propagationOf(record.digest, waitMs, replicas);
    return { status: 200, body: toOwnerDetails(record, await service.ownedBy(record.id), propagation) };
  }

  async function get(call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    return 'refused' in id ? id.refused : told(await service.get(kind, id.value));
  }

  /** A change of it, which may be waited for. */
  function change(work: (id: string, call: Call) => Promise<KeyRecord>) {
    return async (call: Call): Promise<Answer> => {
      const id = readId(stamp, call);
      if ('refused' in id) return id.refused;
      const wait = readWait(stamp, call.query);
      if ('refused' in wait) return wait.refused;
      return told(await work(id.value, call), wait.value);
    };
  }

  async function remove(call: Call): Promise<Answer> {
    const revocation = readDeletion(stamp, call.query);
    if ('refused' in revocation) return revocation.refused;
    return change((id) => service.revoke(kind, id, actorOf(call), revocation.value))(call);
  }

  async function list({ query }: Call): Promise<Answer> {
    const parsed = readKeyQuery(stamp, query);
    if ('refused' in parsed) return parsed.refused;
    return { status: 200, body: (await service.list(kind, parsed.value)).map(toOwner) };
  }

  async function create(call: Call): Promise<Answer> {
    const parsed = await readBody(stamp, call.request, newOwnerSchema);
    if ('refused' in parsed) return parsed.refused;
    return told(await service.createOwner({ ...parsed.value, kind }, actorOf(call)));
  }

  async function update(call: Call): Promise<Answer> {
    const id = readId(stamp, call);
    if ('refused' in id) return id.refused;
    const parsed = await readBody(stamp, call.request, ownerUpdateSchema);
    if ('refused' in parsed) return parsed.refused;
    return told(await service.update(kind, id.value, parsed.value, actorOf(call)));
  }

  return {
    list,
    create,
    update,
    get,
    lock: change((id, call) => service.disable(kind, id, actorOf(call))),
    unlock: change((id, call) => service.enable(kind, id, actorOf(call))),
    remove,
  };
}
