import { StoreError } from '../store/port.ts';
import type { KeyStore } from '../store/port.ts';
import { mayBeCutOff, wasUsedLately } from './in-use.ts';
import { isLive } from './record.ts';
import type { KeyRecord } from './record.ts';
import { KeyServiceError } from './service-error.ts';

const PAGE = 1_000;
/** Who locks an owner waits for the count: with more keys than this in the store, it is not worth the wait. */
const MAX_LOOKED_THROUGH = 20_000;

type Pages = Pick<KeyStore, 'page'>;

/**
 * The keys and tokens that stop when this owner does, and would work as far as they go themselves; undefined where there
 * are too many keys to look through, or the store does not say. Nothing depends on it: whether an owner stops a key is
 * looked at on each request. It is told of a change that was made, which a fault here must not make look undone.
 */
export async function readOwned(store: Pages, ownerId: string, nowMs: number): Promise<KeyRecord[] | undefined> {
  return orUntold(() => lookThrough(store, ownerId, nowMs));
}

async function orUntold<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}

async function lookThrough(store: Pages, ownerId: string, nowMs: number): Promise<KeyRecord[] | undefined> {
  const owned: KeyRecord[] = [];
  let lookedThrough = 0;
  for (const kind of ['ingestion', 'service'] as const) {
    let page = await store.page(kind, { limit: PAGE });
    for (;;) {
      owned.push(...page.records.filter((key) => isStoppedWith(ownerId, key, nowMs)));
      lookedThrough += PAGE;
      if (page.next === undefined) break;
      if (lookedThrough >= MAX_LOOKED_THROUGH) return undefined;
      page = await store.page(kind, { after: page.next, limit: PAGE });
    }
  }
  return owned;
}

function isStoppedWith(ownerId: string, key: KeyRecord, nowMs: number): boolean {
  return key.owner?.id === ownerId && key.state === 'active' && isLive(key, nowMs);
}

/** How many keys and tokens stop with an owner. */
export interface OwnedCount {
  readonly keys: number;
  /** Of these, those that were used within the last hour, as far as gateways have told. */
  readonly inUse: number;
}

/** Undefined as above. */
export async function countOwned(
  store: Pick<KeyStore, 'page' | 'usage'>,
  ownerId: string,
  nowMs: number,
): Promise<OwnedCount | undefined> {
  const owned = await readOwned(store, ownerId, nowMs);
  if (owned === undefined || owned.length === 0) return owned && { keys: 0, inUse: 0 };
  const usage = await orUntold(() => store.usage.read(owned.map(({ id }) => id)));
  if (usage === undefined) return undefined;
  return { keys: owned.length, inUse: owned.filter(({ id }) => wasUsedLately(usage.get(id), nowMs)).length };
}

/**
 * Throws if deleting this owner would cut somebody off, or if that cannot be told. The keys of a locked owner are refused
 * already; and since a lock can be undone, it is the way to find out.
 */
export function mustOwnNoneInUse(owner: KeyRecord, owned: OwnedCount | undefined, nowMs: number): void {
  if (!mayBeCutOff(owner, nowMs) || owned?.inUse === 0) return;
  const used =
    owned === undefined
      ? 'It cannot be told whether keys of it are in use: there are too many to look through, or the store does not say.'
      : `${owned.inUse} of its ${owned.keys} keys ${owned.inUse === 1 ? 'was' : 'were'} used within the last hour.`;
  throw new KeyServiceError(
    'in_use',
    `${used} Lock it first, which can be undone: a locked one is deleted. Or delete it all the same with --force (force=true in the admin API).`,
  );
}
