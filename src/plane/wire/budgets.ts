import { fullBucket, refill } from '../../budget/bucket.ts';
import type { Bucket, Flow } from '../../budget/bucket.ts';

/**
 * What one connection may do that costs us more than its sender: each oddity is drawn from a bucket of its kind. No sender
 * that behaves comes near any of these; who empties a bucket is told to go, and then ended.
 */
const FLOWS = {
  /** Requests that their sender gives up as soon as it has begun them: rapid reset, CVE-2023-44487. */
  resets: { burst: 200, perSecond: 33 },
  /** Streams that we have to reset for what came on them: MadeYouReset, CVE-2025-8671. */
  errors: { burst: 100, perSecond: 10 },
  /** CVE-2019-9512. Keep-alive takes one in ten seconds; those that answers explain are not counted. */
  pings: { burst: 1_000, perSecond: 33 },
  /** CVE-2019-9515. */
  settings: { burst: 50, perSecond: 1 },
  /** Frames that say nothing: CVE-2019-9513, CVE-2019-9518, CVE-2024-27983. */
  empty_frames: { burst: 4_000, perSecond: 200 },
  /** Heads beyond the limits. Refused ones can hold memory, many times their compressed size: CVE-2026-49975. */
  large_heads: { burst: 3, perSecond: 0 },
} as const satisfies Readonly<Record<string, Flow>>;

export type CountedBudget = keyof typeof FLOWS;

/**
 * Beside those that are counted: the times to say what is due, and to read what we have to say; and the memory that bodies hold
 * together, where it is a request that ends, and no connection.
 */
export type BudgetName = CountedBudget | 'time' | 'unread_output' | 'held_bytes';

export type Spent = 'fine' | 'warned' | 'ended';

/** A quarter is left: the connection is asked to go, and finishes what it has. */
const WARN_BELOW = 0.25;
/** A budget this small is for those who do not know better, and has no warning. */
const SMALLEST_WITH_WARNING = 10;

export class Budgets {
  readonly #buckets = new Map<CountedBudget, Bucket>();
  readonly #onSpent: (budget: BudgetName, how: 'warned' | 'ended') => void;
  #isWarned = false;

  constructor(onSpent: (budget: BudgetName, how: 'warned' | 'ended') => void) {
    this.#onSpent = onSpent;
  }

  spend(name: CountedBudget, cost = 1): Spent {
    const flow = FLOWS[name];
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) this.#buckets.set(name, (bucket = fullBucket(flow, performance.now())));
    bucket.level -= cost;
    const warnBelow = flow.burst < SMALLEST_WITH_WARNING ? 0 : flow.burst * WARN_BELOW;
    if (bucket.level >= warnBelow) return 'fine'; // as if it had not filled meanwhile, which saves to look at the clock
    refill(bucket, flow, performance.now());
    if (bucket.level >= warnBelow) return 'fine';
    if (bucket.level < 0) return this.#tell(name, 'ended');
    if (this.#isWarned) return 'fine';
    this.#isWarned = true;
    return this.#tell(name, 'warned');
  }

  /** Gives one back, for something that has come along with what it was drawn for. */
  forgive(name: CountedBudget): void {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined && bucket.level < FLOWS[name].burst) bucket.level += 1;
  }

  #tell(name: CountedBudget, how: 'warned' | 'ended'): Spent {
    this.#onSpent(name, how);
    return how;
  }
}

/** A head that comes to nothing costs one for each of so many bytes: a large one is as much work as many that say nothing. */
const BYTES_PER_COST = 256;

export function costOf(headBytes: number): number {
  return Math.max(1, headBytes / BYTES_PER_COST);
}
