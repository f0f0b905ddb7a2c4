import type { KeyRecord } from './record.ts';

/**
 * Texts by their code points, which is the order of their bytes in UTF-8: the one in which Redis and SQLite have them. That
 * of JavaScript puts 😀, a pair of surrogates, before ﬀ.
 */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unitOfA, unitOfB] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unitOfA !== unitOfB) return rank(unitOfA) - rank(unitOfB);
  }
  return a.length - b.length;
}

/** Surrogates stand for the code points behind all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

type NameAndId = Pick<KeyRecord, 'name' | 'id'>;

/** The order of lists unless another one is asked for. */
export function byNameAndId(a: NameAndId, b: NameAndId): number {
  return compareTexts(a.name, b.name) || compareTexts(a.id, b.id);
}
