import type { StoreFault } from '../store/port.ts';

export type Pool = 'known' | 'unknown';

/** How a read of the store ended; `error` is a fault that the store's port does not foresee. */
export type ReadOutcome = 'found' | 'absent' | StoreFault | 'error';

/** Too many lookups were under way; too many had found nothing, for a network or for all; or the store fails again and again. */
export type ShedCause = 'lookups' | 'unknown' | 'breaker';

/** What the cache tells of its work. Each is called on the request path: it must be quick and must not throw. */
export interface CacheObserver {
  /** Answered from memory; `aged` when the record is being looked up again, or could not be. */
  hit(pool: Pool, aged: boolean): void;
  /** Not in memory: the store is asked, or is being asked already. */
  miss(): void;
  /** Not in memory, and not looked up. */
  shed(cause: ShedCause): void;
  /** The store failed again and again, and is only asked now and then; or it answers again. */
  breaker(state: 'open' | 'closed'): void;
  /** One read of the store has ended; `error` says why when it failed. */
  storeRead(outcome: ReadOutcome, seconds: number, error?: Error): void;
  /** An entry was pushed out because its pool is full. */
  evicted(pool: Pool): void;
}
