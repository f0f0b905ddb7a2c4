import type { Digests, KeyDigest } from '../credential/digest.ts';
import { STORE_TIMEOUT, STORE_UNAVAILABLE, UNKNOWN } from '../keys/answer.ts';
import type { KeyAnswer } from '../keys/answer.ts';
import type { KeyRecord } from '../keys/record.ts';
import { StoreError } from '../store/port.ts';
import { createBreaker } from './breaker.ts';
import type { Permit } from './breaker.ts';
import type { CacheObserver, ShedCause } from './observer.ts';
import { patientTimeout } from '../patient-timeout.ts';

export interface LookupsOptions {
  readonly find: (digests: readonly KeyDigest[]) => Promise<KeyRecord | undefined>;
  readonly now: () => number;
  readonly maxLookups: number;
  readonly lookupTimeoutMs: number;
  readonly observe?: CacheObserver | undefined;
  /** Hears the end of each lookup, unless it was disowned. */
  readonly settled: (finding: Finding) => void;
}

export interface Finding {
  readonly digests: Digests;
  readonly answer: KeyAnswer;
  /** The answer is at least as new as this. */
  readonly startedAt: number;
}

/** The reads of the store that are under way: one for each key, not too many at once, hardly any of a store that fails. */
export interface Lookups {
  /** Starts a lookup in the background unless there is one. */
  start(digests: Digests): void;
  isUnderWay(digests: Digests): boolean;
  /** Waits for the lookup of this key, starting it if need be: `lookupTimeoutMs` at most. Or says why it is not started. */
  answer(digests: Digests): Promise<KeyAnswer> | ShedCause;
  /** Lookups of this key that have begun may see it as it was: they are not remembered, and nobody else joins them. */
  disown(digest: KeyDigest): void;
  disownAll(): void;
}

interface Flight {
  readonly digests: Digests;
  /** Never rejects. */
  readonly answer: Promise<KeyAnswer>;
  /** The same with a deadline; made for the first request that waits for it. */
  bounded?: Promise<KeyAnswer>;
}

export function createLookups(options: LookupsOptions): Lookups {
  const { find, now, maxLookups, lookupTimeoutMs, observe, settled } = options;
  /** By the first digest. Those that were disowned are no longer in here, but still count as under way. */
  const flights = new Map<KeyDigest, Flight>();
  let underWay = 0;
  const breaker = createBreaker({ now, changed: (state) => observe?.breaker(state) });

  function join(digests: Digests): Flight | ShedCause {
    const current = flights.get(digests.digest);
    if (current !== undefined) return current;
    if (underWay >= maxLookups) return 'lookups';
    const permit = breaker.admit();
    if (permit === undefined) return 'breaker';
    underWay++;
    const answer: Promise<KeyAnswer> = read(digests, permit).then((finding) => {
      underWay--;
      if (flights.get(digests.digest) === flight) {
        flights.delete(digests.digest);
        settled(finding);
      }
      return finding.answer;
    });
    const flight: Flight = { digests, answer };
    flights.set(digests.digest, flight);
    return flight;
  }

  async function read(digests: Digests, permit: Permit): Promise<Finding> {
    const startedAt = now();
    const seconds = () => (now() - startedAt) / 1_000;
    try {
      const record = await find([digests.digest, ...digests.alternates]);
      permit.answered();
      observe?.storeRead(record === undefined ? 'absent' : 'found', seconds());
      return { digests, startedAt, answer: record === undefined ? UNKNOWN : { kind: 'known', record } };
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      const outcome = error instanceof StoreError ? error.fault : 'error';
      // A store that says "not ours" or "unreadable" answers, and at once: asking it costs nobody anything.
      if (outcome === 'foreign' || outcome === 'corrupt') permit.answered();
      else permit.failed();
      observe?.storeRead(outcome, seconds(), error);
      return { digests, startedAt, answer: outcome === 'timeout' ? STORE_TIMEOUT : STORE_UNAVAILABLE };
    }
  }

  return {
    start: (digests) => void join(digests),
    isUnderWay: ({ digest }) => flights.has(digest),
    answer(digests) {
      const flight = join(digests);
      if (typeof flight === 'string') return flight;
      observe?.miss();
      flight.bounded ??= within(lookupTimeoutMs, flight.answer);
      return flight.bounded;
    },
    disown(digest) {
      for (const [first, { digests }] of flights) {
        if (first === digest || digests.alternates.includes(digest)) flights.delete(first);
      }
    },
    disownAll: () => flights.clear(),
  };
}

function within(timeoutMs: number, answer: Promise<KeyAnswer>): Promise<KeyAnswer> {
  return new Promise((resolve) => {
    const timer = patientTimeout(() => resolve(STORE_TIMEOUT), timeoutMs);
    void answer.then((inTime) => {
      clearTimeout(timer);
      resolve(inTime);
    });
  });
}
