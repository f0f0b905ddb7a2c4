import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { fullBucket, refill } from '../budget/bucket.ts';
import type { Bucket, Flow } from '../budget/bucket.ts';
import { STORE_UNAVAILABLE } from '../keys/answer.ts';
import type { KeyAnswer } from '../keys/answer.ts';

export interface StrangersOptions {
  readonly now: () => number;
  /** How many lookups a second may find nothing. */
  readonly perSecond: number;
  readonly shed: () => void;
}

/** Bounds the lookups of keys that nobody has vouched for, by how many of them found nothing. */
export interface Strangers {
  /** Runs the lookup if there is room for it; otherwise nothing is decided. `from` is the address of who sent the key. */
  ask(from: string, lookUp: () => KeyAnswer | Promise<KeyAnswer>): KeyAnswer | Promise<KeyAnswer>;
}

/** What one network, or all of them, may still waste. */
interface Allowance {
  readonly bucket: Bucket;
  /** Lookups that may yet turn out wasted. */
  underWay: number;
  wastedAt: number;
}

/** Networks that are forgotten begin anew; all of them together are bounded all the same. */
const MAX_NETWORKS = 10_000;
const LATELY_MS = 10_000;

/**
 * A flood of random keys ends here and not at the store. Only a lookup that finds nothing uses up anything, so that good
 * keys seen for the first time, however many, pass. A network has a quarter of the rate; and half of what may be wasted
 * at once is kept for networks that have wasted nothing lately, so that the flood of one does not lock out the others.
 */
export function createStrangers({ now, perSecond, shed }: StrangersOptions): Strangers {
  const ofAll: Flow = { perSecond, burst: perSecond };
  const ofNetwork: Flow = { perSecond: perSecond / 4, burst: Math.max(1, perSecond / 2) };
  const keptForOthers = ofAll.burst / 2;
  const all = newAllowance(ofAll);
  const networks = new LRUCache<string, Allowance>({ max: MAX_NETWORKS });

  function newAllowance(flow: Flow): Allowance {
    return { bucket: fullBucket(flow, now()), underWay: 0, wastedAt: -Infinity };
  }

  function allowanceOf(from: string): Allowance {
    const name = networkOf(from);
    let allowance = networks.get(name);
    if (allowance === undefined) {
      allowance = newAllowance(ofNetwork);
      networks.set(name, allowance);
    }
    return allowance;
  }

  function hasRoom(network: Allowance): boolean {
    const nowMs = now();
    refill(network.bucket, ofNetwork, nowMs);
    refill(all.bucket, ofAll, nowMs);
    const kept = nowMs - network.wastedAt < LATELY_MS ? keptForOthers : 0;
    return network.bucket.level - network.underWay >= 1 && all.bucket.level - all.underWay >= 1 + kept;
  }

  return {
    ask(from, lookUp) {
      const network = allowanceOf(from);
      if (!hasRoom(network)) {
        shed();
        return STORE_UNAVAILABLE;
      }
      const answer = lookUp();
      if (!(answer instanceof Promise)) return answer;
      network.underWay++;
      all.underWay++;
      void answer.then(({ kind }) => {
        network.underWay--;
        all.underWay--;
        if (kind !== 'unknown') return;
        network.wastedAt = now();
        network.bucket.level--;
        all.bucket.level--;
      });
      return answer;
    },
  };
}

/** One machine has as many IPv6 addresses as it likes, all in one /64. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.') || !isIPv6(address)) return address;
  const [head = '', tail = ''] = address.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  const missing = address.includes('::') ? 8 - groups.length - tail.split(':').filter(Boolean).length : 0;
  const all = [...groups, ...Array.from({ length: missing }, () => '0'), ...tail.split(':')];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
