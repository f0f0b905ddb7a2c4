import { LRUCache } from 'lru-cache';
import type { KeyRecord } from '../keys/record.ts';
import type { KeyLimits } from '../keys/scope.ts';
import type { Allow, Refusal } from '../verdict/decide.ts';
import { fullBucket, msUntil, refill } from './bucket.ts';
import type { Bucket, Flow } from './bucket.ts';

export interface BudgetsOptions {
  /** Milliseconds on a clock that never goes back, such as performance.now. */
  readonly now: () => number;
  /** Of how many keys it is known what they have used. One that is forgotten begins anew, with its whole burst. */
  readonly maxKeys: number;
}

export interface Budgets {
  /** Takes one request off the key's budget; refuses, and takes nothing, if it is used up. */
  charge(allowed: Allow): Allow | Refusal;
  /** Takes bytes that have passed already: what is too much of them is refused at the key's next request. */
  debit(key: KeyRecord, bytes: number): void;
}

interface Budget {
  requests: Bucket | undefined;
  bytes: Bucket | undefined;
}

/** What each key has left of its limits, in this process. For a key without limits there is nothing to do or to keep. */
export function createBudgets({ now, maxKeys }: BudgetsOptions): Budgets {
  const budgets = new LRUCache<string, Budget>({ max: maxKeys });

  function budgetOf(id: string): Budget {
    let budget = budgets.get(id);
    if (budget === undefined) {
      budget = { requests: undefined, bytes: undefined };
      budgets.set(id, budget);
    }
    return budget;
  }

  return {
    charge(allowed) {
      const { key } = allowed;
      if (key.limits === undefined) return allowed;
      const budget = budgetOf(key.id);
      const nowMs = now();

      const byteFlow = flowOfBytes(key.limits);
      if (byteFlow !== undefined) {
        const bucket = (budget.bytes ??= fullBucket(byteFlow, nowMs));
        refill(bucket, byteFlow, nowMs);
        // One byte is enough to begin: how many come is known when they have come.
        const retryAfterMs = msUntil(bucket, byteFlow, 1);
        if (retryAfterMs > 0) return { verdict: 'refuse', reason: 'quota_exceeded', key, retryAfterMs };
      }

      const requestFlow = flowOfRequests(key.limits);
      if (requestFlow !== undefined) {
        const bucket = (budget.requests ??= fullBucket(requestFlow, nowMs));
        refill(bucket, requestFlow, nowMs);
        const retryAfterMs = msUntil(bucket, requestFlow, 1);
        if (retryAfterMs > 0) return { verdict: 'refuse', reason: 'rate_limited', key, retryAfterMs };
        bucket.level -= 1;
      }
      return allowed;
    },

    debit({ id, limits }, bytes) {
      const flow = limits && flowOfBytes(limits);
      if (flow === undefined) return;
      const bucket = (budgetOf(id).bytes ??= fullBucket(flow, now()));
      refill(bucket, flow, now());
      bucket.level -= bytes;
    },
  };
}

function flowOfRequests({ requestsPerSecond, requestBurst }: KeyLimits): Flow | undefined {
  return toFlow(requestsPerSecond, requestBurst);
}

function flowOfBytes({ bytesPerSecond, byteBurst }: KeyLimits): Flow | undefined {
  return toFlow(bytesPerSecond, byteBurst);
}

/** Without a burst, that of a second. */
function toFlow(perSecond: number | undefined, burst = perSecond): Flow | undefined {
  return perSecond === undefined || burst === undefined ? undefined : { perSecond, burst };
}
