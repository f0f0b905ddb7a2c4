import { LRUCache } from 'lru-cache';
import type { Digests, KeyDigest } from '../credential/digest.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../keys/answer.ts';
import type { KeyAnswer, KeyLookup } from '../keys/answer.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { ChangeObserver } from '../store/port.ts';
import { createLookups } from './lookups.ts';
import type { Finding } from './lookups.ts';
import type { CacheObserver, Pool } from './observer.ts';
import { createStrangers } from './strangers.ts';

export interface KeyCacheOptions {
  readonly find: (digests: readonly KeyDigest[]) => Promise<KeyRecord | undefined>;
  /** Milliseconds on a clock that never goes back, such as performance.now: ages are measured with it, nothing else. */
  readonly now: () => number;
  readonly maxKeys: number;
  readonly maxUnknown: number;
  /**
   * A known key older than this is looked up again before it is answered, as long as the store can be asked. So that busy
   * keys never wait, one half as old is looked up in the background. Keys do not age while the feed is current.
   */
  readonly freshForMs: number;
  /** A known key as old as this is no longer answered from memory. */
  readonly staleForMs: number;
  readonly unknownForMs: number;
  /** How many reads of the store may be under way. */
  readonly maxLookups: number;
  /** How many lookups a second may find nothing: see strangers.ts. */
  readonly maxUnknownLookups: number;
  /** How long a request may wait for a lookup, whatever the store does. */
  readonly lookupTimeoutMs: number;
  readonly observe?: CacheObserver | undefined;
}

export interface KeyCache extends ChangeObserver {
  /** A hit is answered at once: no promise, no timer, no I/O. */
  readonly lookup: KeyLookup;
  /** What is in memory of a key; nothing changes by looking. */
  peek(digests: Digests): CachePeek | undefined;
  sizes(): Readonly<Record<Pool, number>>;
  /** Known keys that no gap has made uncertain; those used last come last. */
  remembered(): RememberedKey[];
  /**
   * Takes over what an earlier process remembered, as aged keys, and tells how many were not too old. It is as good as the
   * feed that goes on where that process was: a gap ends it.
   */
  restore(keys: readonly RememberedKey[]): number;
  /** The feed has told all that happened since then: those that it has not ended are as good as fresh. */
  confirmRestored(): void;
  /** Another number whenever known keys have changed. */
  revision(): number;
}

export interface RememberedKey {
  readonly record: KeyRecord;
  readonly ageMs: number;
}

export type CachePeek =
  | { readonly pool: 'known'; readonly aged: boolean; readonly ageMs: number; readonly record: KeyRecord }
  | { readonly pool: 'unknown'; readonly ageMs: number };

interface Entry {
  readonly answer: Extract<KeyAnswer, { kind: 'known' }>;
  /** When it was known to be true, if the feed does not say later. */
  checkedAt: number;
  /** How many gaps there had been when it was read. */
  gaps: number;
  /** The last attempt to look it up again failed; the next one is not before this. */
  retryAt: number;
}

/** In place of the number of gaps, in an entry from an earlier process: it is aged, whatever its age. */
const RESTORED = -1;

/** How long after a failed attempt a key is not looked up again; for as long after that, nobody waits for the next one. */
const RETRY_AFTER_MS = 1_000;

/**
 * Remembers what the store said of keys. Known and unknown keys have a pool each, so that a flood of random keys cannot
 * push out the good ones. Tombstones are known keys. Whether a key has expired is no matter of the cache: the verdict
 * looks at that on every request. Doubts are never remembered.
 */
export function createKeyCache(options: KeyCacheOptions): KeyCache {
  const { now, freshForMs, staleForMs, unknownForMs, observe } = options;
  const known = new LRUCache<KeyDigest, Entry>({
    max: options.maxKeys,
    dispose(_entry, digest, reason) {
      if (reason !== 'evict') return;
      observe?.evicted('known');
      vouchedFor.set(digest, true);
    },
  });
  /** Digests that the store itself has told of: whoever sends one of these has not made it up. */
  const vouchedFor = new LRUCache<KeyDigest, true>({ max: options.maxUnknown });
  /** The first digest of an unknown key -> when it may be looked up again. */
  const unknown = new LRUCache<KeyDigest, number>({
    max: options.maxUnknown,
    dispose: (_until, _digest, reason) => reason === 'evict' && observe?.evicted('unknown'),
  });
  /** Counted, so that one gap makes all entries aged at once. */
  let gaps = 0;
  /** All that was changed until then has been told by the feed. */
  let currentAt = -Infinity;
  let revision = 0;
  const lookups = createLookups({ ...options, settled: remember });
  const strangers = createStrangers({
    now,
    perSecond: options.maxUnknownLookups,
    shed: () => observe?.shed('unknown'),
  });

  function lookup(digests: Digests, from?: string): KeyAnswer | Promise<KeyAnswer> {
    const nowMs = now();
    const entry = findKnown(digests);
    if (entry !== undefined) {
      const ageMs = ageOf(entry, nowMs);
      const isFresh = isFreshAt(entry, ageMs);
      if (isFresh || ageMs < staleForMs) {
        // After a failed attempt there is a pause; the next one is made in the background, for it may fail too.
        const isDue = nowMs >= entry.retryAt && (!isFresh || ageMs >= freshForMs / 2);
        if (isDue && !isFresh && nowMs >= entry.retryAt + RETRY_AFTER_MS) return checkAgain(digests);
        if (isDue) lookups.start(digests);
        observe?.hit('known', !isFresh);
        return entry.answer;
      }
    } else if (nowMs < (unknown.get(digests.digest) ?? 0)) {
      observe?.hit('unknown', false);
      return UNKNOWN;
    }
    const isStranger =
      from !== undefined && entry === undefined && !isVouchedFor(digests) && !lookups.isUnderWay(digests);
    return isStranger ? askForStranger(digests, from) : ask(digests);
  }

  function askForStranger(digests: Digests, from: string): KeyAnswer | Promise<KeyAnswer> {
    return strangers.ask(from, () => ask(digests));
  }

  function ask(digests: Digests): KeyAnswer | Promise<KeyAnswer> {
    const answer = lookups.answer(digests);
    if (typeof answer !== 'string') return answer;
    observe?.shed(answer);
    return STORE_UNAVAILABLE;
  }

  function peek({ digest, alternates }: Digests): CachePeek | undefined {
    const nowMs = now();
    for (const each of [digest, ...alternates]) {
      const entry = known.peek(each);
      if (entry === undefined) continue;
      const ageMs = ageOf(entry, nowMs);
      const isFresh = isFreshAt(entry, ageMs);
      if (!isFresh && ageMs >= staleForMs) return undefined;
      return { pool: 'known', aged: !isFresh, ageMs, record: entry.answer.record };
    }
    const until = unknown.peek(digest) ?? 0;
    return nowMs < until ? { pool: 'unknown', ageMs: unknownForMs - (until - nowMs) } : undefined;
  }

  /** A key does not age while the feed would have told of its change. */
  function ageOf({ checkedAt, gaps: gapsThen }: Entry, nowMs: number): number {
    return nowMs - (gapsThen === gaps ? Math.max(checkedAt, currentAt) : checkedAt);
  }

  function isFreshAt(entry: Entry, ageMs: number): boolean {
    return entry.gaps === gaps && ageMs < freshForMs;
  }

  function isVouchedFor({ digest, alternates }: Digests): boolean {
    return vouchedFor.has(digest) || alternates.some((alternate) => vouchedFor.has(alternate));
  }

  /** What the store says now; if it says nothing, what is remembered, unless that was found to be untrue meanwhile. */
  function checkAgain(digests: Digests): KeyAnswer | Promise<KeyAnswer> {
    const orRemembered = (answer: KeyAnswer = STORE_UNAVAILABLE): KeyAnswer => {
      const entry = answer.kind === 'unavailable' ? findKnown(digests) : undefined;
      if (entry === undefined) return answer;
      observe?.hit('known', true);
      return entry.answer;
    };
    const answer = lookups.answer(digests);
    return typeof answer === 'string' ? orRemembered() : answer.then(orRemembered);
  }

  function findKnown({ digest, alternates }: Digests): Entry | undefined {
    let entry = known.get(digest);
    for (let i = 0; entry === undefined && i < alternates.length; i++) {
      const alternate = alternates[i];
      if (alternate !== undefined) entry = known.get(alternate);
    }
    return entry;
  }

  function remember({ digests, answer, startedAt }: Finding): void {
    switch (answer.kind) {
      case 'known':
        unknown.delete(digests.digest);
        known.set(answer.record.digest, { answer, checkedAt: startedAt, gaps, retryAt: -Infinity });
        revision++;
        break;
      case 'unknown':
        for (const digest of [digests.digest, ...digests.alternates]) {
          known.delete(digest);
          vouchedFor.delete(digest);
        }
        revision++;
        unknown.set(digests.digest, now() + unknownForMs);
        break;
      case 'unavailable': {
        const entry = findKnown(digests);
        if (entry !== undefined) entry.retryAt = now() + RETRY_AFTER_MS;
        break;
      }
    }
  }

  return {
    lookup,
    peek,
    changed(digest) {
      revision++;
      known.delete(digest);
      unknown.delete(digest);
      vouchedFor.set(digest, true);
      lookups.disown(digest);
    },
    current(agoMs) {
      currentAt = Math.max(currentAt, now() - agoMs);
    },
    gap() {
      const restored: KeyDigest[] = [];
      for (const [digest, entry] of known.entries()) {
        if (entry.gaps === RESTORED) restored.push(digest);
        // The feed vouched for it until then, and no longer: from then on it ages.
        else if (entry.gaps === gaps) entry.checkedAt = Math.max(entry.checkedAt, currentAt);
      }
      for (const digest of restored) known.delete(digest);
      gaps++;
      revision++;
      unknown.clear();
      lookups.disownAll();
    },
    remembered() {
      const nowMs = now();
      const keys: RememberedKey[] = [];
      for (const entry of known.rvalues()) {
        if (entry === undefined) continue; // only lru-cache's types foresee it
        const isCertain = entry.gaps === gaps || entry.gaps === RESTORED;
        if (isCertain) keys.push({ record: entry.answer.record, ageMs: ageOf(entry, nowMs) });
      }
      return keys;
    },
    restore(keys) {
      const youngEnough = keys.filter(({ ageMs }) => ageMs < staleForMs);
      for (const { record, ageMs } of youngEnough) {
        const answer = { kind: 'known', record } as const;
        known.set(record.digest, { answer, checkedAt: now() - ageMs, gaps: RESTORED, retryAt: -Infinity });
      }
      return youngEnough.length;
    },
    confirmRestored() {
      for (const entry of known.values()) if (entry.gaps === RESTORED) Object.assign(entry, { gaps, checkedAt: now() });
    },
    revision: () => revision,
    sizes: () => ({ known: known.size, unknown: unknown.size }),
  };
}
