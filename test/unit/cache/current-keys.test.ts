import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { FRESH, setUpCache, STALE } from '../../support/key-cache.ts';
import { newRecord, revoked } from '../../support/stores.ts';

const known = (record: KeyRecord) => ({ kind: 'known', record });

/** A cache that has looked up one key; its record in the store can be changed without a word of the feed. */
async function setUpWithKey() {
  const record = newRecord();
  const setup = setUpCache();
  setup.records.set(record.digest, record);
  await setup.ask(record.digest);
  return {
    ...setup,
    record,
    ask: () => setup.ask(record.digest),
    revoke: () => void setup.records.set(record.digest, revoked(record, 1)),
  };
}

describe('the key cache, with a change feed', () => {
  it('does not take a key for aged while the feed is current', async () => {
    const { cache, ask, record, advance, reads } = await setUpWithKey();
    for (let hour = 0; hour < 3; hour++) {
      advance(STALE);
      cache.current?.(0);
      assert.deepEqual(ask(), known(record));
    }
    assert.equal(reads(), 1);
  });

  it('counts the age of a key from when the feed was last current', async () => {
    const { cache, ask, record, revoke, advance, reads } = await setUpWithKey();
    advance(STALE);
    cache.current?.(0);
    revoke();
    advance(FRESH / 2 - 1);
    assert.deepEqual(ask(), known(record));
    assert.equal(reads(), 1);
    advance(FRESH);
    assert.deepEqual(await ask(), known(revoked(record, 1)));
  });

  it('takes the word of the feed no further than to when the feed was asked', async () => {
    const { cache, ask, record, revoke, advance } = await setUpWithKey();
    revoke();
    advance(FRESH);
    cache.current?.(FRESH);
    assert.deepEqual(await ask(), known(revoked(record, 1)));
  });

  it('takes a key for aged after a gap, however current the feed is by then', async () => {
    const { cache, ask, record, revoke } = await setUpWithKey();
    revoke();
    cache.gap();
    cache.current?.(0);
    assert.deepEqual(await ask(), known(revoked(record, 1)));
  });

  it('serves a key through an outage that begins with a gap, for as long after that as through any other', async () => {
    const { cache, ask, record, advance, takeAway } = await setUpWithKey();
    advance(5 * STALE);
    cache.current?.(0);
    cache.gap();
    takeAway();
    advance(STALE - 1);
    assert.deepEqual(await ask(), known(record));
    advance(1);
    assert.deepEqual(await ask(), { kind: 'unavailable', reason: 'store_unavailable' });
  });
});
