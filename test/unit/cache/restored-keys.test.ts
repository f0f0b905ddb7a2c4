import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import type { KeyCacheOptions } from '../../../src/cache/key-cache.ts';
import type { KeyDigest } from '../../../src/credential/digest.ts';
import { STORE_UNAVAILABLE } from '../../../src/keys/answer.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { StoreError } from '../../../src/store/port.ts';
import { newRecord } from '../../support/stores.ts';

const FRESH = 60_000;
const STALE = 3_600_000;

/** A cache before a store that has these records, or is away; on a clock that the test sets. */
function setUp(options: Partial<KeyCacheOptions> = {}) {
  let nowMs = 1_000_000;
  let isAway = false;
  let reads = 0;
  let agedHits = 0;
  const records = new Map<KeyDigest, KeyRecord>();
  const cache = createKeyCache({
    find: async ([digest]) => {
      reads++;
      if (isAway) throw new StoreError('unavailable', 'away');
      return digest && records.get(digest);
    },
    now: () => nowMs,
    maxKeys: 10,
    maxUnknown: 10,
    freshForMs: FRESH,
    staleForMs: STALE,
    unknownForMs: 5_000,
    maxLookups: 4,
    maxUnknownLookups: 1_000,
    lookupTimeoutMs: 120,
    observe: {
      hit: (_pool, aged) => void (agedHits += aged ? 1 : 0),
      miss: () => undefined,
      shed: () => undefined,
      breaker: () => undefined,
      storeRead: () => undefined,
      evicted: () => undefined,
    },
    ...options,
  });
  return {
    cache,
    records,
    ask: (digest: KeyDigest) => cache.lookup({ digest, alternates: [] }),
    takeAway: () => void (isAway = true),
    reads: () => reads,
    agedHits: () => agedHits,
    advance: (ms: number) => void (nowMs += ms),
  };
}

const known = (record: KeyRecord) => ({ kind: 'known', record });
const record = newRecord();

describe('the key cache, with keys of an earlier process', () => {
  const restored = newRecord();
  const before = [{ record: restored, ageMs: FRESH / 2 }];

  it('asks for them again before it answers, and answers from memory where the store cannot tell', async () => {
    const { cache, ask, takeAway, reads, agedHits } = setUp();
    assert.equal(cache.restore(before), 1);
    takeAway();
    assert.deepEqual(await ask(restored.digest), known(restored));
    assert.deepEqual([reads(), agedHits()], [1, 1]);
  });

  it('answers them from memory once the feed has told what happened since', async () => {
    const { cache, ask, reads, agedHits, takeAway } = setUp();
    cache.restore([...before, { record, ageMs: FRESH * 2 }]);
    cache.changed(record.digest);
    cache.confirmRestored();
    assert.deepEqual(ask(restored.digest), known(restored));
    assert.deepEqual([reads(), agedHits()], [0, 0]);
    takeAway();
    assert.equal(await ask(record.digest), STORE_UNAVAILABLE, 'one that was changed is not remembered');
  });

  it('forgets them when the feed cannot tell what happened since', () => {
    const { cache } = setUp();
    cache.restore(before);
    cache.gap();
    assert.deepEqual(cache.sizes(), { known: 0, unknown: 0 });
  });

  it('takes none that is too old, and none beyond its size', () => {
    const { cache } = setUp({ maxKeys: 2 });
    assert.equal(cache.restore([{ record, ageMs: STALE }]), 0);
    cache.restore([newRecord(), newRecord(), record].map((each) => ({ record: each, ageMs: 0 })));
    assert.deepEqual(cache.sizes(), { known: 2, unknown: 0 });
    assert.deepEqual(cache.remembered().at(-1), { record, ageMs: 0 });
  });

  it('gives on what is certain, those used last at the end', async () => {
    const { cache, records, ask, advance } = setUp();
    records.set(record.digest, record);
    cache.restore(before);
    cache.confirmRestored();
    await ask(record.digest);
    advance(1_000);
    void ask(restored.digest);
    assert.deepEqual(cache.remembered(), [
      { record, ageMs: 1_000 },
      { record: restored, ageMs: 1_000 },
    ]);
    cache.gap();
    assert.deepEqual(cache.remembered(), []);
  });
});
