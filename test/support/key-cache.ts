import { createKeyCache } from '../../src/cache/key-cache.ts';
import type { KeyCacheOptions } from '../../src/cache/key-cache.ts';
import type { KeyDigest } from '../../src/credential/digest.ts';
import type { KeyRecord } from '../../src/keys/record.ts';
import { StoreError } from '../../src/store/port.ts';

export const FRESH = 60_000;
export const STALE = 3_600_000;

/** A cache before a store that has these records, or is away; on a clock that the test sets. */
export function setUpCache(options: Partial<KeyCacheOptions> = {}) {
  let nowMs = 1_000_000;
  let isAway = false;
  let reads = 0;
  let agedHits = 0;
  const records = new Map<KeyDigest, KeyRecord>();
  const cache = createKeyCache({
    find: async ([digest]) => {
      reads++;
      if (isAway) throw new StoreError('unavailable', 'away');
      return digest && records.get(digest);
    },
    now: () => nowMs,
    maxKeys: 10,
    maxUnknown: 10,
    freshForMs: FRESH,
    staleForMs: STALE,
    unknownForMs: 5_000,
    maxLookups: 4,
    maxUnknownLookups: 1_000,
    lookupTimeoutMs: 120,
    observe: {
      hit: (_pool, aged) => void (agedHits += aged ? 1 : 0),
      miss: () => undefined,
      shed: () => undefined,
      breaker: () => undefined,
      storeRead: () => undefined,
      evicted: () => undefined,
    },
    ...options,
  });
  return {
    cache,
    records,
    ask: (digest: KeyDigest) => cache.lookup({ digest, alternates: [] }),
    takeAway: () => void (isAway = true),
    reads: () => reads,
    agedHits: () => agedHits,
    advance: (ms: number) => void (nowMs += ms),
  };
}
