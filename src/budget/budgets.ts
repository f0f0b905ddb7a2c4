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
  /** Other processes keep budgets of the same keys, and are to hear what was spent here. */
  readonly isShared?: boolean | undefined;
}

/** What a key has used in one of several processes that keep its budget. */
export interface Spending {
  readonly key: Pick<KeyRecord, 'id' | 'limits'>;
  readonly requests: number;
  readonly bytes: number;
}

export interface Budgets {
  /** Takes one request off the key's budget; refuses, and takes nothing, if it is used up. */
  charge(allowed: Allow): Allow | Refusal;
  /** Takes bytes that have passed already: what is too much of them is refused at the key's next request. */
  debit(key: KeyRecord, bytes: number): void;
  /** What was spent here since this was called last. */
  takeSpent(): readonly Spending[];
  /** Takes off what was spent elsewhere, if need be below zero: that is paid back before anything is allowed again. */
  spentElsewhere(spent: readonly Spending[]): void;
}

interface Budget {
  requests: Bucket | undefined;
  bytes: Bucket | undefined;
}

/**
 * What each key has left of its limits. For a key without limits there is nothing to do or to keep.
 *
 * Several processes each keep the whole budget of a key and take off what they hear of the others. So no sender within its limits is
 * refused, however its connections are spread; what is too much, because the news took a moment, is paid back.
 */
export function createBudgets({ now, maxKeys, isShared = false }: BudgetsOptions): Budgets {
  const budgets = new LRUCache<string, Budget>({ max: maxKeys });
  let untold = new Map<string, { key: Spending['key']; requests: number; bytes: number }>();

  function budgetOf(id: string): Budget {
    let budget = budgets.get(id);
    if (budget === undefined) {
      budget = { requests: undefined, bytes: undefined };
      budgets.set(id, budget);
    }
    return budget;
  }

  function note({ id, limits }: Spending['key'], requests: number, bytes: number): void {
    if (!isShared) return;
    let spent = untold.get(id);
    if (spent === undefined) {
      if (untold.size >= maxKeys) return; // as many as are known at all
      spent = { key: { id, limits }, requests: 0, bytes: 0 };
      untold.set(id, spent);
    }
    spent.requests += requests;
    spent.bytes += bytes;
  }

  function spend({ key: { id, limits }, requests, bytes }: Spending): void {
    if (limits === undefined) return;
    const budget = budgetOf(id);
    const nowMs = now();
    const requestFlow = flowOfRequests(limits);
    if (requestFlow !== undefined) budget.requests = drawn(budget.requests, requestFlow, requests, nowMs);
    const byteFlow = flowOfBytes(limits);
    if (byteFlow !== undefined) budget.bytes = drawn(budget.bytes, byteFlow, bytes, nowMs);
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
        note(key, 1, 0);
      }
      return allowed;
    },

    debit(key, bytes) {
      const flow = key.limits && flowOfBytes(key.limits);
      if (flow === undefined) return;
      const budget = budgetOf(key.id);
      budget.bytes = drawn(budget.bytes, flow, bytes, now());
      note(key, 0, bytes);
    },

    takeSpent() {
      const spent = [...untold.values()];
      untold = new Map();
      return spent;
    },
    spentElsewhere: (spent) => spent.forEach(spend),
  };
}

/** The bucket, brought up to now, after this much was drawn from it. */
function drawn(bucket: Bucket | undefined, flow: Flow, amount: number, nowMs: number): Bucket {
  const after = bucket ?? fullBucket(flow, nowMs);
  refill(after, flow, nowMs);
  after.level -= amount;
  return after;
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
