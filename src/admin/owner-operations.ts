import type { KeyRecord, OwnerKind } from '../keys/record.ts';
import type { KeyService } from '../keys/service.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { actorOf, readId } from './caller.ts';
import { readKeyQuery } from './list-query.ts';
import { newOwnerSchema, ownerUpdateSchema, toOwner, toOwnerDetails } from './owner-schemas.ts';
import type { Call } from './route.ts';

export interface OwnerOperationOptions {
  readonly service: KeyService;
  readonly now: () => number;
}

export type OwnerOperations = ReturnType<typeof createOwnerOperations>;

/** What the routes do to owners of one kind. */
export function createOwnerOperations(kind: OwnerKind, { service, now }: OwnerOperationOptions) {
  const stamp = { now };

  /** The owner, and how many keys go with it. */
  async function told(record: KeyRecord): Promise<Answer> {
    return { status: 200, body: toOwnerDetails(record, await service.ownedBy(record.id)) };
  }

  /** An operation on the owner whose id is in the path. */
  function on(work: (id: string, call: Call) => Promise<KeyRecord>) {
    return async (call: Call): Promise<Answer> => {
      const id = readId(stamp, call);
      return 'refused' in id ? id.refused : told(await work(id.value, call));
    };
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
    get: on((id) => service.get(kind, id)),
    lock: on((id, call) => service.disable(kind, id, actorOf(call))),
    unlock: on((id, call) => service.enable(kind, id, actorOf(call))),
    remove: on((id, call) => service.revoke(kind, id, actorOf(call))),
  };
}
