import type { ChangeObserver, FeedPosition } from '../store/port.ts';
import type { ReplicaStore } from '../store/replica-port.ts';

/** What a replica tells of its place among the others. */
export interface ReplicaObserver {
  /** The store has heard that a change is applied here, so long after it was made; both by the store's clock. */
  propagated(seconds: number): void;
  /** All changes up to this one are applied here, and the store has heard it. */
  acknowledged(change: number): void;
}

export interface ReplicaOptions {
  readonly store: ReplicaStore;
  /** Of this run of this process. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly observe: ReplicaObserver;
}

/** One gateway among those that share a store. */
export interface Replica extends Pick<Required<ChangeObserver>, 'applied'> {
  /** Begins to tell the others that it is there. */
  join(): void;
  /** Tells them that it goes. */
  leave(): Promise<void>;
}

/** Changes whose propagation was not told yet: more than this while the store is away are not measured. */
const MAX_PENDING = 10_000;
const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 1_000;

/**
 * Acknowledges changes as soon as they are applied, and beats in between. One acknowledgement is under way at most; what
 * was applied meanwhile goes with the next one. Its time by the store's clock, less the time of the change by the same
 * clock, is how long the change took to get here and back: clocks of machines do not matter, and it is never too short.
 */
export function createReplica({ store, observe, ...identity }: ReplicaOptions): Replica {
  let position: FeedPosition | undefined;
  let acknowledged: { readonly position: FeedPosition | undefined; readonly at: number } | undefined;
  let pending: number[] = [];
  let state: 'out' | 'in' | 'left' = 'out';
  let underWay: Promise<void> | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  function acknowledgeSoon(): void {
    if (state !== 'in' || underWay !== undefined) return;
    clearTimeout(timer);
    underWay = acknowledge().then((waitMs) => {
      underWay = undefined;
      if (state !== 'in') return;
      if (waitMs === 0) acknowledgeSoon();
      else timer = setTimeout(acknowledgeSoon, waitMs).unref();
    });
  }

  /** Returns when to acknowledge again. Never rejects. */
  async function acknowledge(): Promise<number> {
    const told = position;
    const times = pending;
    pending = [];
    const isNews = acknowledged === undefined || told !== acknowledged.position;
    try {
      const now = await store.acknowledge({
        ...identity,
        store: told?.store ?? null,
        applied: told?.change ?? 0,
        appliedAt: isNews ? undefined : acknowledged?.at,
      });
      failures = 0;
      if (isNews) acknowledged = { position: told, at: now };
      for (const madeAt of times) observe.propagated(Math.max(0, now - madeAt) / 1_000_000);
      if (told !== undefined) observe.acknowledged(told.change);
    } catch {
      // That the store is away is told by those who ask it for keys; here it is only tried again.
      keep(times);
      return Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS);
    }
    return position === told ? store.beatMs : 0;
  }

  function keep(times: readonly number[]): void {
    pending = [...pending, ...times].slice(0, MAX_PENDING);
  }

  return {
    applied(next, madeAt) {
      position = next;
      keep(madeAt);
      acknowledgeSoon();
    },
    join() {
      state = 'in';
      acknowledgeSoon();
    },
    async leave() {
      if (state !== 'in') return;
      state = 'left';
      clearTimeout(timer);
      await underWay;
      // Whoever cannot say goodbye is missed after a while, and struck off later.
      await store.leave(identity.id).catch(() => undefined);
    },
  };
}
