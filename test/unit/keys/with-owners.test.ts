import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import type { KeyDigest } from '../../../src/credential/digest.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyAnswer } from '../../../src/keys/answer.ts';
import { withOwners } from '../../../src/keys/with-owners.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { asOwner, digestOf, newOwner, newRecord } from '../../support/stores.ts';

const OWNER = newOwner();
const KEY = newRecord({ owner: asOwner(OWNER) });
const digests = (digest: KeyDigest) => ({ digest, alternates: [] });

/** A lookup that answers at once from these, and notes what it was asked. */
function lookupOf(answers: readonly (readonly [KeyDigest, KeyAnswer])[]) {
  const known = new Map(answers);
  const asked: KeyDigest[] = [];
  const lookup = withOwners(({ digest }) => {
    asked.push(digest);
    return known.get(digest) ?? UNKNOWN;
  });
  return { lookup, asked };
}

const knownAs = (record: KeyRecord) => [record.digest, { kind: 'known', record }] as const;

describe('a lookup with owners', () => {
  it('answers at once, with the owner beside the key', () => {
    const { lookup } = lookupOf([knownAs(KEY), knownAs(OWNER)]);
    const owner = { kind: 'known', record: OWNER };
    assert.deepEqual(lookup(digests(KEY.digest)), { kind: 'known', record: KEY, owner });
  });

  it('asks for no owner where there is none to ask for', () => {
    const free = newRecord();
    const { lookup, asked } = lookupOf([knownAs(free)]);
    assert.deepEqual(lookup(digests(free.digest)), { kind: 'known', record: free });
    assert.deepEqual(lookup(digests(digestOf('nobody'))), UNKNOWN);
    assert.deepEqual(asked, [free.digest, digestOf('nobody')]);
  });

  it('tells an owner that is gone from one that cannot be asked about', () => {
    assert.deepEqual(lookupOf([knownAs(KEY)]).lookup(digests(KEY.digest)), {
      kind: 'known',
      record: KEY,
      owner: UNKNOWN,
    });
    const { lookup } = lookupOf([knownAs(KEY), [OWNER.digest, STORE_UNAVAILABLE]]);
    assert.deepEqual(lookup(digests(KEY.digest)), { kind: 'known', record: KEY, owner: STORE_UNAVAILABLE });
  });

  it('reads each of the two once from the store, and remembers both, also that an owner is gone', async () => {
    for (const stored of [[KEY, OWNER], [KEY]]) {
      let reads = 0;
      const cache = createKeyCache({
        find: async (wanted) => {
          reads++;
          return stored.find(({ digest }) => wanted.includes(digest));
        },
        now: () => 0,
        maxKeys: 10,
        maxUnknown: 10,
        freshForMs: 10,
        staleForMs: 10,
        unknownForMs: 10,
        maxLookups: 10,
        maxUnknownLookups: 10,
        lookupTimeoutMs: 1_000,
      });
      const lookup = withOwners(cache.lookup);
      const first = lookup(digests(KEY.digest));
      assert.ok(first instanceof Promise);
      const again = lookup(digests(KEY.digest));
      assert.deepEqual(await again, await first);
      assert.deepEqual(lookup(digests(KEY.digest)), await first);
      assert.equal(reads, 2);
      cache.changed(OWNER.digest);
      await lookup(digests(KEY.digest));
      assert.equal(reads, 3);
    }
  });
});
