import { StoreError } from '../store/port.ts';
import type { KeyStore } from '../store/port.ts';
import { isLive } from './record.ts';
import type { KeyRecord } from './record.ts';

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
  try {
    return await lookThrough(store, ownerId, nowMs);
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
