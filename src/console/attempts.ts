import { fullBucket, msUntil, refill } from '../budget/bucket.ts';
import type { Bucket, Flow } from '../budget/bucket.ts';

/**
 * How often an address may fail to sign in. No token can be guessed, whatever the rate; this keeps a script from filling the
 * log, and a lost token from being looked for by trying. What is behind it is bounded for all addresses together: lookups of
 * unknown keys by the cache.
 */
export interface Attempts {
  /** Takes one attempt off what is left: 0, or in how many milliseconds there is one again. */
  take(address: string): number;
  /** It was a success, and does not count. */
  giveBack(address: string): void;
}

/** Ten at once, for whoever pastes the wrong thing; then two a minute. */
const FLOW: Flow = { burst: 10, perSecond: 1 / 30 };
/** Each takes some 100 bytes; the one that was heard of first makes room. */
export const MAX_ADDRESSES = 1_000;

export function createAttempts(now: () => number): Attempts {
  const buckets = new Map<string, Bucket>();

  function bucketOf(address: string): Bucket {
    const found = buckets.get(address);
    if (found !== undefined) {
      refill(found, FLOW, now());
      return found;
    }
    const [oldest] = buckets.keys();
    if (buckets.size >= MAX_ADDRESSES && oldest !== undefined) buckets.delete(oldest);
    const bucket = fullBucket(FLOW, now());
    buckets.set(address, bucket);
    return bucket;
  }

  return {
    take(address) {
      const bucket = bucketOf(address);
      const waitMs = msUntil(bucket, FLOW, 1);
      if (waitMs === 0) bucket.level -= 1;
      return waitMs;
    },
    giveBack(address) {
      const bucket = bucketOf(address);
      bucket.level = Math.min(FLOW.burst, bucket.level + 1);
    },
  };
}
