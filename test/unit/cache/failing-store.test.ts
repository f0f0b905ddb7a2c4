import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import type { CacheObserver } from '../../../src/cache/observer.ts';
import type { KeyDigest } from '../../../src/credential/digest.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { StoreError } from '../../../src/store/port.ts';
import { digestOf, newRecord } from '../../support/stores.ts';

const FRESH = 60_000;
const PROBE_PAUSE = 250;

/** A cache whose store does what the test says, on a clock that the test sets. */
function setUp() {
  const events: string[] = [];
  let nowMs = 1_000_000;
  let reads = 0;
  let answer: () => Promise<KeyRecord | undefined> = async () => undefined;
  const observe: CacheObserver = {
    hit: () => undefined,
    miss: () => undefined,
    shed: (cause) => events.push(cause),
    breaker: (state) => events.push(state),
    storeRead: () => undefined,
    evicted: () => undefined,
  };
  const cache = createKeyCache({
    find() {
      reads++;
      return answer();
    },
    now: () => nowMs,
    maxKeys: 10,
    maxUnknown: 10,
    freshForMs: FRESH,
    staleForMs: 3_600_000,
    unknownForMs: 5_000,
    maxLookups: 100,
    lookupTimeoutMs: 120,
    maxUnknownLookups: 1_000,
    observe,
  });
  return {
    events,
    ask: (digest: KeyDigest) => cache.lookup({ digest, alternates: [] }),
    reads: () => reads,
    advance: (ms: number) => void (nowMs += ms),
    storeAnswers: (record: KeyRecord | undefined) => void (answer = async () => record),
    storeFails(error: Error) {
      answer = async () => {
        throw error;
      };
    },
  };
}

const away = new StoreError('unavailable', 'away');
const record = newRecord();

describe('a store that fails again and again', () => {
  it('is left alone for a while: what is not in memory is answered at once, what is, from there', async () => {
    const { events, ask, reads, advance, storeAnswers, storeFails } = setUp();
    storeAnswers(record);
    await ask(record.digest);
    storeFails(away);
    for (let i = 0; i < 5; i++) assert.equal(await ask(digestOf(`stranger ${i}`)), STORE_UNAVAILABLE);
    assert.deepEqual(events.splice(0), ['open']);

    const before = reads();
    for (let i = 0; i < 100; i++) assert.equal(ask(digestOf(`stranger ${i}`)), STORE_UNAVAILABLE);
    assert.deepEqual(ask(record.digest), { kind: 'known', record });
    assert.equal(reads(), before);
    assert.deepEqual(new Set(events), new Set(['breaker']));
    assert.equal(events.splice(0).length, 100);

    advance(PROBE_PAUSE);
    storeAnswers(undefined);
    const probe = ask(digestOf('probe'));
    assert.equal(ask(digestOf('another')), STORE_UNAVAILABLE, 'one probe at a time');
    assert.equal(ask(digestOf('probe')), probe, 'who asks for the same key waits for the same answer');
    assert.equal(await probe, UNKNOWN);
    assert.deepEqual(events, ['breaker', 'closed']);
    assert.equal(await ask(digestOf('another')), UNKNOWN);
  });

  it('is probed by a known key that has aged, which is served whatever comes of it', async () => {
    const { events, ask, advance, storeAnswers, storeFails } = setUp();
    storeAnswers(record);
    await ask(record.digest);
    storeFails(new StoreError('timeout', 'slow'));
    for (let i = 0; i < 5; i++) await ask(digestOf(`stranger ${i}`));
    advance(FRESH);
    assert.deepEqual(await ask(record.digest), { kind: 'known', record });
    assert.deepEqual(events, ['open']);
    storeAnswers(record);
    advance(FRESH);
    assert.deepEqual(await ask(record.digest), { kind: 'known', record });
    assert.deepEqual(events, ['open', 'closed']);
  });

  for (const fault of ['foreign', 'corrupt'] as const) {
    it(`is asked all the same when it is not there that the fault is: ${fault}`, async () => {
      const { events, ask, storeFails } = setUp();
      storeFails(new StoreError(fault, 'odd'));
      for (let i = 0; i < 20; i++) assert.equal(await ask(digestOf(`stranger ${i}`)), STORE_UNAVAILABLE);
      assert.deepEqual(events, []);
    });
  }
});
