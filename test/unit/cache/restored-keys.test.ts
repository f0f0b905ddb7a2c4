import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STORE_UNAVAILABLE } from '../../../src/keys/answer.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { FRESH, setUpCache, STALE } from '../../support/key-cache.ts';
import { newRecord } from '../../support/stores.ts';

const known = (record: KeyRecord) => ({ kind: 'known', record });
const record = newRecord();

describe('the key cache, with keys of an earlier process', () => {
  const restored = newRecord();
  const before = [{ record: restored, ageMs: FRESH / 2 }];

  it('asks for them again before it answers, and answers from memory where the store cannot tell', async () => {
    const { cache, ask, takeAway, reads, agedHits } = setUpCache();
    assert.equal(cache.restore(before), 1);
    takeAway();
    assert.deepEqual(await ask(restored.digest), known(restored));
    assert.deepEqual([reads(), agedHits()], [1, 1]);
  });

  it('answers them from memory once the feed has told what happened since', async () => {
    const { cache, ask, reads, agedHits, takeAway } = setUpCache();
    cache.restore([...before, { record, ageMs: FRESH * 2 }]);
    cache.changed(record.digest);
    cache.confirmRestored();
    assert.deepEqual(ask(restored.digest), known(restored));
    assert.deepEqual([reads(), agedHits()], [0, 0]);
    takeAway();
    assert.equal(await ask(record.digest), STORE_UNAVAILABLE, 'one that was changed is not remembered');
  });

  it('forgets them when the feed cannot tell what happened since', () => {
    const { cache } = setUpCache();
    cache.restore(before);
    cache.gap();
    assert.deepEqual(cache.sizes(), { known: 0, unknown: 0 });
  });

  it('takes none that is too old, and none beyond its size', () => {
    const { cache } = setUpCache({ maxKeys: 2 });
    assert.equal(cache.restore([{ record, ageMs: STALE }]), 0);
    cache.restore([newRecord(), newRecord(), record].map((each) => ({ record: each, ageMs: 0 })));
    assert.deepEqual(cache.sizes(), { known: 2, unknown: 0 });
    assert.deepEqual(cache.remembered().at(-1), { record, ageMs: 0 });
  });

  it('gives on what is certain, those used last at the end', async () => {
    const { cache, records, ask, advance } = setUpCache();
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
