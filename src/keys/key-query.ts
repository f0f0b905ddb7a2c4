import { byNameAndId, compareTexts } from './order.ts';
import { endsAt, stateOf } from './record.ts';
import type { KeyRecord } from './record.ts';

export const KEY_SORTS = ['name', 'type', 'creator', 'created', 'expiration', 'last-used'] as const;
export type KeySort = (typeof KEY_SORTS)[number];

/** Which keys a list shows, and in which order; without anything, those that were not deleted or replaced, by name. */
export interface KeyQuery {
  /** Tombstones too: keys that were deleted, and those whose place another one took. */
  readonly all?: boolean | undefined;
  /** A part of the name or, with * and ?, the whole of it; in any case. */
  readonly name?: string | undefined;
  /** Smallest first. Keys without a type or an expiry come last, keys that were never used come first. */
  readonly sort?: KeySort | undefined;
  /** Largest first. */
  readonly descending?: boolean | undefined;
  readonly offset?: number | undefined;
  readonly limit?: number | undefined;
}

/** When a key was last used, if ever and if it is known; it matters to the sort by it only. */
export type LastUsed = (id: string) => number | undefined;

export function selectKeys(
  records: readonly KeyRecord[],
  query: KeyQuery,
  nowMs: number,
  lastUsed: LastUsed = () => undefined,
): KeyRecord[] {
  const { sort = 'name', descending = false, offset = 0, limit = Infinity } = query;
  const sign = descending ? -1 : 1;
  return records
    .filter((record) => isSelected(record, query, nowMs))
    .sort((a, b) => sign * ORDERS[sort](a, b, lastUsed) || byNameAndId(a, b))
    .slice(offset, offset + limit);
}

/** Whether the query asks for this key, on whatever page it may be. */
export function isSelected(record: KeyRecord, { all = false, name }: KeyQuery, nowMs: number): boolean {
  return (all || isListed(record, nowMs)) && (name === undefined || matchesName(record.name, name));
}

/** Expired keys are shown until they are forgotten: their owners wonder why they are refused. */
function isListed(record: KeyRecord, nowMs: number): boolean {
  const state = stateOf(record, nowMs);
  return state !== 'revoked' && state !== 'retired';
}

type Order = (a: KeyRecord, b: KeyRecord, lastUsed: LastUsed) => number;

/** Behind every time, and unlike Infinity a number to subtract. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** Behind every type. */
const NO_TYPE = '~';

const ORDERS: Readonly<Record<KeySort, Order>> = {
  name: byNameAndId,
  type: (a, b) => compareTexts(a.type ?? NO_TYPE, b.type ?? NO_TYPE),
  creator: (a, b) => compareTexts(a.createdBy, b.createdBy),
  created: (a, b) => a.createdAt - b.createdAt,
  expiration: (a, b) => (endsAt(a) ?? NEVER) - (endsAt(b) ?? NEVER),
  'last-used': (a, b, lastUsed) => (lastUsed(a.id) ?? 0) - (lastUsed(b.id) ?? 0),
};

function matchesName(name: string, pattern: string): boolean {
  const [text, wanted] = [name.toLowerCase(), pattern.toLowerCase()];
  return /[*?]/.test(wanted) ? matchesGlob(text, wanted) : text.includes(wanted);
}

/** Going back to the last star only is enough, and never takes longer than text times pattern, as a RegExp might. */
function matchesGlob(text: string, glob: string): boolean {
  let [at, position] = [0, 0];
  let star: { readonly at: number; position: number } | undefined;
  while (position < text.length) {
    if (glob[at] === '*') {
      star = { at, position };
      at++;
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === text[position])) {
      at++;
      position++;
    } else if (star !== undefined) {
      star.position++;
      at = star.at + 1;
      position = star.position;
    } else {
      return false;
    }
  }
  return /^\**$/.test(glob.slice(at));
}
