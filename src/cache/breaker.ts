export interface BreakerOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Hears when it opens and when it closes. */
  readonly changed?: ((state: 'open' | 'closed') => void) | undefined;
}

/**
 * Spares senders the wait for a store that does not answer, and the store the questions that it does not answer anyway.
 * While it is open, one read at a time is let through as a probe; the first answer closes it.
 */
export interface Breaker {
  /** Permission for one read, whose end is told to it; undefined if it may not begin. */
  admit(): Permit | undefined;
}

export interface Permit {
  /** The store answered, whatever it said. */
  answered(): void;
  /** It did not, or refused to. */
  failed(): void;
}

/** So many failures in a row open it. They need not be close together: in between nothing succeeded. */
const FAILURES_TO_OPEN = 5;
/** The pause between a probe that failed and the next one. */
const PROBE_INTERVAL_MS = 250;

export function createBreaker({ now, changed }: BreakerOptions): Breaker {
  let failures = 0;
  let isOpen = false;
  let probeAt = 0;

  function answered(): void {
    failures = 0;
    if (!isOpen) return;
    isOpen = false;
    changed?.('closed');
  }

  const ordinary: Permit = {
    answered,
    failed() {
      failures++;
      if (isOpen || failures < FAILURES_TO_OPEN) return;
      isOpen = true;
      probeAt = now() + PROBE_INTERVAL_MS;
      changed?.('open');
    },
  };
  const probe: Permit = {
    answered,
    failed() {
      if (isOpen) probeAt = now() + PROBE_INTERVAL_MS;
      else ordinary.failed(); // an earlier read has closed it meanwhile
    },
  };

  return {
    admit() {
      if (!isOpen) return ordinary;
      if (now() < probeAt) return undefined;
      probeAt = Number.POSITIVE_INFINITY; // until this probe has ended
      return probe;
    },
  };
}
