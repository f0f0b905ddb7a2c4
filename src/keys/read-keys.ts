import type { KeyStore } from '../store/port.ts';
import { isSelected, selectKeys } from './key-query.ts';
import type { KeyQuery } from './key-query.ts';
import type { KeyKind, KeyRecord } from './record.ts';

const MAX_PAGE = 500;

/**
 * The keys that a query asks for. By name and with a limit, the store is read page by page and no further than needed, so
 * that first pages take the same time however many keys there are. Everything else reads all keys of the kind.
 */
export async function readKeys(
  store: Pick<KeyStore, 'list' | 'page' | 'usage'>,
  kind: KeyKind,
  query: KeyQuery,
  nowMs: number,
): Promise<KeyRecord[]> {
  const { sort = 'name', descending = false, offset = 0, limit } = query;
  if (sort === 'last-used') {
    const records = await store.list(kind);
    const usage = await store.usage.read(records.map(({ id }) => id));
    return selectKeys(records, query, nowMs, (id) => usage.get(id)?.lastUsedAt);
  }
  if (sort !== 'name' || descending || limit === undefined) return selectKeys(await store.list(kind), query, nowMs);

  const found: KeyRecord[] = [];
  let toSkip = offset;
  let size = Math.min(offset + limit, MAX_PAGE);
  let page = await store.page(kind, { limit: size });
  for (;;) {
    const selected = page.records.filter((record) => isSelected(record, query, nowMs));
    found.push(...selected.slice(toSkip));
    toSkip = Math.max(0, toSkip - selected.length);
    if (page.next === undefined || found.length >= limit) return found.slice(0, limit);
    size = Math.min(size * 2, MAX_PAGE); // few of these were wanted, so it may be long until the next
    page = await store.page(kind, { after: page.next, limit: size });
  }
}
