import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import type { KeyCache, KeyCacheOptions } from '../../../src/cache/key-cache.ts';
import type { CacheObserver } from '../../../src/cache/observer.ts';
import type { Digests, KeyDigest } from '../../../src/credential/digest.ts';
import { STORE_TIMEOUT, STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { StoreError } from '../../../src/store/port.ts';
import { digestOf, newRecord, revoked } from '../../support/stores.ts';

const FRESH = 60_000;
const STALE = 3_600_000;
const UNKNOWN_FOR = 5_000;
const LOOKUP_TIMEOUT = 120;

interface Read {
  readonly digests: readonly KeyDigest[];
  readonly resolve: (record: KeyRecord | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A cache whose store answers when the test says so, on a clock that the test sets. */
function setUp(options: Partial<KeyCacheOptions> = {}) {
  const reads: Read[] = [];
  const events: string[] = [];
  let nowMs = 1_000_000;
  const observe: CacheObserver = {
    hit: (pool, aged) => events.push(`hit ${pool}${aged ? ' aged' : ''}`),
    miss: () => events.push('miss'),
    shed: (cause) => events.push(`shed ${cause}`),
    breaker: (state) => events.push(state),
    storeRead: (outcome, seconds, error) => events.push(`read ${outcome} ${seconds}s ${error?.message ?? ''}`.trim()),
    evicted: (pool) => events.push(`evicted ${pool}`),
  };
  const cache = createKeyCache({
    find: (digests) => {
      const { promise, resolve, reject } = Promise.withResolvers<KeyRecord | undefined>();
      reads.push({ digests, resolve, reject });
      return promise;
    },
    now: () => nowMs,
    maxKeys: 10,
    maxUnknown: 10,
    freshForMs: FRESH,
    staleForMs: STALE,
    unknownForMs: UNKNOWN_FOR,
    maxLookups: 4,
    maxUnknownLookups: 1_000,
    lookupTimeoutMs: LOOKUP_TIMEOUT,
    observe,
    ...options,
  });
  /** The read that the cache is waiting for; there must be just one. */
  function theRead(): Read {
    const read = reads.shift();
    assert.ok(read, 'the store was not asked');
    assert.equal(reads.length, 0, 'the store was asked more than once');
    return read;
  }
  /** Puts the store's answer for this key into the cache. */
  async function remember(digest: KeyDigest, record: KeyRecord | undefined): Promise<void> {
    const answer = cache.lookup(only(digest));
    theRead().resolve(record);
    await answer;
    events.length = 0;
  }
  return { cache, reads, events, theRead, remember, advance: (ms: number) => void (nowMs += ms) };
}

function only(digest: KeyDigest): Digests {
  return { digest, alternates: [] };
}

function known(record: KeyRecord) {
  return { kind: 'known', record };
}

/** Lets what was just settled take its effect. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const record = newRecord();
const ask = (cache: KeyCache, digest = record.digest) => cache.lookup(only(digest));
const away = () => new StoreError('unavailable', 'away');

describe('the key cache', () => {
  it('asks the store for a key it has never seen, and answers from memory from then on', async () => {
    const { cache, events, theRead, reads } = setUp();
    const first = ask(cache);
    assert.ok(first instanceof Promise);
    const read = theRead();
    assert.deepEqual(read.digests, [record.digest]);
    read.resolve(record);
    assert.deepEqual(await first, known(record));
    assert.deepEqual(ask(cache), known(record));
    assert.equal(ask(cache), ask(cache), 'a hit makes nothing new');
    assert.equal(reads.length, 0);
    assert.deepEqual(events, ['miss', 'read found 0s', 'hit known', 'hit known', 'hit known']);
  });

  it('asks once for all who wait for the same key, and lets no other key wait for that', async () => {
    const { cache, reads } = setUp();
    const other = newRecord();
    const answers = Promise.all([ask(cache), ask(cache), ask(cache)]);
    const quick = ask(cache, other.digest);
    assert.deepEqual(
      reads.map((read) => read.digests),
      [[record.digest], [other.digest]],
    );
    reads[1]?.resolve(other);
    assert.deepEqual(await quick, known(other));
    reads[0]?.resolve(record);
    assert.deepEqual(await answers, [known(record), known(record), known(record)]);
  });

  it('finds a key that is stored under the digest of a former pepper', async () => {
    const { cache, theRead } = setUp();
    const digests: Digests = { digest: digestOf('now'), alternates: [digestOf('before'), record.digest] };
    const answer = cache.lookup(digests);
    const read = theRead();
    assert.deepEqual(read.digests, [digestOf('now'), digestOf('before'), record.digest]);
    read.resolve(record);
    await answer;
    assert.deepEqual(cache.lookup(digests), known(record));
    assert.deepEqual(cache.sizes(), { known: 1, unknown: 0 });
  });

  it('remembers tombstones as known keys', async () => {
    const { cache, remember } = setUp();
    const tombstone = revoked(record, 1);
    await remember(record.digest, tombstone);
    assert.deepEqual(ask(cache), known(tombstone));
  });

  describe('with an aged key', () => {
    it('answers from memory while it is fresh, and from half of that time on looks it up once in the background', async () => {
      const { cache, events, advance, theRead, remember, reads } = setUp();
      await remember(record.digest, record);
      advance(FRESH / 2 - 1);
      assert.deepEqual(ask(cache), known(record));
      assert.equal(reads.length, 0);
      advance(1);
      assert.deepEqual(ask(cache), known(record));
      assert.deepEqual(ask(cache), known(record));
      const changed = { ...record, revision: 2 };
      theRead().resolve(changed);
      await settle();
      assert.deepEqual(ask(cache), known(changed));
      assert.deepEqual(events, ['hit known', 'hit known', 'hit known', 'read found 0s', 'hit known']);
    });

    it('that is not fresh any more looks it up, once for all who ask, before it answers', async () => {
      const { cache, advance, theRead, remember } = setUp();
      await remember(record.digest, record);
      advance(FRESH);
      const answers = Promise.all([ask(cache), ask(cache)]);
      theRead().resolve(revoked(record, 1));
      assert.deepEqual(await answers, [known(revoked(record, 1)), known(revoked(record, 1))]);
      assert.deepEqual(ask(cache), known(revoked(record, 1)));
    });

    it('forgets it when the store no longer has it', async () => {
      const { cache, advance, theRead, remember } = setUp();
      await remember(record.digest, record);
      advance(FRESH);
      const answer = ask(cache);
      theRead().resolve(undefined);
      assert.equal(await answer, UNKNOWN);
      assert.equal(ask(cache), UNKNOWN);
      assert.deepEqual(cache.sizes(), { known: 0, unknown: 1 });
    });

    it('goes on while the store is away, tries again once a second, and lets nobody wait for that', async () => {
      const { cache, events, advance, theRead, remember, reads } = setUp();
      await remember(record.digest, record);
      advance(FRESH);
      const first = ask(cache);
      theRead().reject(away());
      assert.deepEqual(await first, known(record));
      assert.deepEqual(events, ['miss', 'read unavailable 0s away', 'hit known aged']);
      for (let second = 0; second < 3; second++) {
        advance(999);
        assert.deepEqual(ask(cache), known(record));
        assert.equal(reads.length, 0);
        advance(1);
        assert.deepEqual(ask(cache), known(record));
        theRead().reject(away());
        await settle();
      }
      advance(2_000); // nobody asked for a while: what is remembered could be long untrue
      assert.ok(ask(cache) instanceof Promise);
    });

    it('answers from memory when there is no room for a lookup', async () => {
      const { cache, events, advance, remember } = setUp({ maxLookups: 1 });
      await remember(record.digest, record);
      advance(FRESH);
      void ask(cache, digestOf('stranger'));
      assert.deepEqual(ask(cache), known(record));
      assert.deepEqual(events, ['miss', 'hit known aged']);
    });

    it('does not answer from memory what was changed while it waited for a store that is away', async () => {
      const { cache, advance, theRead, remember } = setUp();
      await remember(record.digest, record);
      advance(FRESH);
      const answer = ask(cache);
      cache.changed(record.digest);
      theRead().reject(away());
      assert.equal(await answer, STORE_UNAVAILABLE);
    });

    it('stops answering from memory when it is stale', async () => {
      const { cache, advance, theRead, remember } = setUp();
      await remember(record.digest, record);
      advance(STALE);
      const answer = ask(cache);
      assert.ok(answer instanceof Promise);
      theRead().reject(away());
      assert.equal(await answer, STORE_UNAVAILABLE);
    });

    it('never answers it from memory when nothing may be stale', async () => {
      const { cache, advance, theRead, remember } = setUp({ staleForMs: 0 });
      await remember(record.digest, record);
      advance(FRESH - 1);
      assert.deepEqual(ask(cache), known(record));
      advance(1);
      const answer = ask(cache);
      theRead().reject(away());
      assert.equal(await answer, STORE_UNAVAILABLE);
    });
  });

  describe('with an unknown key', () => {
    it('refuses it from memory for a while, and then asks again', async () => {
      const { cache, events, advance, theRead, remember, reads } = setUp();
      await remember(record.digest, undefined);
      advance(UNKNOWN_FOR - 1);
      assert.equal(ask(cache), UNKNOWN);
      assert.equal(reads.length, 0);
      advance(1);
      const answer = ask(cache);
      theRead().resolve(record);
      assert.deepEqual(await answer, known(record));
      assert.deepEqual(events, ['hit unknown', 'miss', 'read found 0s']);
      assert.deepEqual(cache.sizes(), { known: 1, unknown: 0 });
    });

    it('asks again at once when it was created', async () => {
      const { cache, theRead, remember } = setUp();
      await remember(record.digest, undefined);
      cache.changed(record.digest);
      const answer = ask(cache);
      theRead().resolve(record);
      assert.deepEqual(await answer, known(record));
    });

    it('does not let a flood of them push out a known key', async () => {
      const { cache, events, remember } = setUp();
      await remember(record.digest, record);
      for (let i = 0; i < 100; i++) await remember(digestOf(`random ${i}`), undefined);
      assert.deepEqual(ask(cache), known(record));
      assert.deepEqual(cache.sizes(), { known: 1, unknown: 10 });
      assert.deepEqual(events, ['hit known']);
    });
  });

  it('keeps the keys used last when there are too many, and tells of those pushed out', async () => {
    const { cache, events, theRead, remember } = setUp({ maxKeys: 2 });
    const [first, second, third] = [newRecord(), newRecord(), newRecord()];
    await remember(first.digest, first);
    await remember(second.digest, second);
    void ask(cache, first.digest);
    const answer = ask(cache, third.digest);
    theRead().resolve(third);
    await answer;
    assert.deepEqual(events, ['hit known', 'miss', 'read found 0s', 'evicted known']);
    assert.deepEqual(ask(cache, first.digest), known(first));
    assert.deepEqual(ask(cache, third.digest), known(third));
    assert.ok(ask(cache, second.digest) instanceof Promise);
  });

  describe('after a change', () => {
    it('looks a known key up again before it answers', async () => {
      const { cache, theRead, remember } = setUp();
      await remember(record.digest, record);
      cache.changed(record.digest);
      const answer = ask(cache);
      assert.ok(answer instanceof Promise);
      theRead().resolve(revoked(record, 1));
      assert.deepEqual(await answer, known(revoked(record, 1)));
    });

    it('does not remember what a lookup found that began before it, nor lets others join that lookup', async () => {
      const { cache, reads } = setUp();
      const before = ask(cache);
      cache.changed(record.digest);
      const after = ask(cache);
      assert.equal(reads.length, 2);
      reads[1]?.resolve(revoked(record, 1));
      assert.deepEqual(await after, known(revoked(record, 1)));
      reads[0]?.resolve(record);
      assert.deepEqual(await before, known(record));
      assert.deepEqual(ask(cache), known(revoked(record, 1)));
    });

    it('does the same when the change is under a former digest of the key', async () => {
      const { cache, reads } = setUp();
      const digests: Digests = { digest: digestOf('now'), alternates: [record.digest] };
      const before = cache.lookup(digests);
      cache.changed(record.digest);
      reads[0]?.resolve(record);
      await before;
      assert.deepEqual(cache.sizes(), { known: 0, unknown: 0 });
    });
  });

  describe('after a gap', () => {
    it('keeps known keys but looks each up again, and forgets the unknown ones', async () => {
      const { cache, theRead, remember, reads } = setUp();
      const stranger = digestOf('stranger');
      await remember(record.digest, record);
      await remember(stranger, undefined);
      cache.gap();
      assert.deepEqual(cache.sizes(), { known: 1, unknown: 0 });
      const answer = ask(cache);
      theRead().resolve(record);
      assert.deepEqual(await answer, known(record));
      assert.deepEqual(ask(cache), known(record));
      assert.equal(reads.length, 0, 'it is fresh again');
      assert.ok(ask(cache, stranger) instanceof Promise);
    });

    it('does not remember what lookups found that began before it', async () => {
      const { cache, theRead } = setUp();
      const answer = ask(cache);
      cache.gap();
      theRead().resolve(undefined);
      assert.equal(await answer, UNKNOWN);
      assert.deepEqual(cache.sizes(), { known: 0, unknown: 0 });
    });
  });

  describe('when the store fails', () => {
    const faults = [
      { error: new StoreError('unavailable', 'gone'), answer: STORE_UNAVAILABLE, event: 'read unavailable 0s gone' },
      { error: new StoreError('timeout', 'slow'), answer: STORE_TIMEOUT, event: 'read timeout 0s slow' },
      { error: new StoreError('foreign', 'empty'), answer: STORE_UNAVAILABLE, event: 'read foreign 0s empty' },
      { error: new StoreError('corrupt', 'odd'), answer: STORE_UNAVAILABLE, event: 'read corrupt 0s odd' },
      { error: new TypeError('a bug'), answer: STORE_UNAVAILABLE, event: 'read error 0s a bug' },
    ];
    for (const { error, answer, event } of faults) {
      it(`answers that it cannot tell, says why, and does not remember it: ${error.message}`, async () => {
        const { cache, events, theRead } = setUp();
        const late = ask(cache);
        theRead().reject(error);
        assert.equal(await late, answer);
        assert.deepEqual(events, ['miss', event]);
        assert.deepEqual(cache.sizes(), { known: 0, unknown: 0 });
        assert.ok(ask(cache) instanceof Promise, 'the next request asks again');
      });
    }

    it('takes an error thrown at once for one that comes later', async () => {
      const { cache } = setUp({
        find: () => {
          throw away();
        },
      });
      assert.equal(await ask(cache), STORE_UNAVAILABLE);
    });

    it('answers in time when the store hangs, and uses what comes late', async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const { cache, theRead } = setUp();
      const answer = ask(cache);
      t.mock.timers.tick(LOOKUP_TIMEOUT);
      assert.equal(await answer, STORE_TIMEOUT);
      assert.equal(await ask(cache), STORE_TIMEOUT, 'nobody waits again for the same lookup');
      theRead().resolve(record);
      await settle();
      assert.deepEqual(ask(cache), known(record));
    });

    it('answers at once when too many lookups are under way, those that timed out or were disowned among them', async () => {
      const { cache, events, reads } = setUp({ maxLookups: 2 });
      const [first, second, third] = [newRecord(), newRecord(), newRecord()];
      void ask(cache, first.digest);
      void ask(cache, second.digest);
      cache.changed(first.digest);
      assert.equal(ask(cache, third.digest), STORE_UNAVAILABLE);
      assert.deepEqual(events, ['miss', 'miss', 'shed lookups']);
      for (const read of reads) read.resolve(undefined);
      await settle();
      assert.ok(ask(cache, third.digest) instanceof Promise);
    });
  });
});
