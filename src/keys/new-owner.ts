import { ownerDigest } from '../credential/digest.ts';
import type { KeyStore } from '../store/port.ts';
import { checkDescription, checkName } from './new-key.ts';
import { isLive, isOwnerKind, OWNER_KINDS, OWNER_ROLES } from './record.ts';
import type { KeyRecord, Owner, OwnerKind } from './record.ts';
import { KeyServiceError } from './service-error.ts';

export interface NewOwner {
  readonly kind: OwnerKind;
  /** Unique among the live owners of its kind. */
  readonly name: string;
  readonly description?: string | undefined;
  /** `Sender` if not given: whoever makes an owner of keys means them to send. */
  readonly roles?: readonly string[] | undefined;
}

export interface OwnerBirth {
  readonly id: string;
  readonly nowMs: number;
  readonly by: string;
}

export function toOwnerRecord(owner: NewOwner, { id, nowMs, by }: OwnerBirth): KeyRecord {
  const { kind, name, description, roles = ['Sender'] } = owner;
  return {
    id,
    kind,
    name,
    ...(description && { description }),
    digest: ownerDigest(id),
    roles: [...new Set(roles)],
    state: 'active',
    createdAt: nowMs,
    createdBy: by,
    revision: 1,
  };
}

const ID = /^[0-9]{1,19}$/;

/** Throws for the first thing that is wrong with it. */
export function checkNewOwner({ name, description = '', roles = [] }: NewOwner): void {
  checkName(name);
  if (ID.test(name)) {
    throw new KeyServiceError('invalid_name', 'The name must not be a number: it would be taken for an id.');
  }
  checkDescription(description);
  checkOwnerRoles(roles);
}

export function checkOwnerRoles(roles: readonly string[]): void {
  const known: readonly string[] = OWNER_ROLES;
  const unknown = roles.find((role) => !known.includes(role));
  if (unknown === undefined) return;
  throw new KeyServiceError(
    'invalid_roles',
    `An owner has no role ${JSON.stringify(unknown)}: it may have ${OWNER_ROLES.join(', ')}, or none.`,
  );
}

/** The live owner that is meant by a name or an id. Throws if there is none, or if it cannot tell which one. */
export async function findOwner(store: KeyStore, nameOrId: string, nowMs: number): Promise<Owner> {
  const said = JSON.stringify(nameOrId);
  const candidates = ID.test(nameOrId)
    ? [await store.get(nameOrId)]
    : await Promise.all(OWNER_KINDS.map((kind) => store.named(kind, nameOrId)));
  const [owner, another] = candidates.filter((record) => record !== undefined && isLive(record, nowMs));
  if (owner === undefined || !isOwnerKind(owner.kind)) {
    throw new KeyServiceError(
      'invalid_owner',
      `There is no service id or user with the name or id ${said}. Create it first, or list those that there are.`,
    );
  }
  if (another !== undefined) {
    throw new KeyServiceError(
      'invalid_owner',
      `Both a service id and a user are named ${said}: say its id, which is ${owner.id} or ${another.id}.`,
    );
  }
  return { id: owner.id, kind: owner.kind, name: owner.name };
}
