import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configSchema } from '../../../src/config/schema.ts';
import { shareOf, workersOf } from '../../../src/workers/share.ts';
import { pauseBefore } from '../../../src/workers/ends.ts';

const CONFIG = configSchema.parse({ upstream: { http: 'http://collector:4318' }, workers: 'auto' });

describe('the share of a worker', () => {
  it('is its part of what bounds memory and the load of the store, and all of the rest', () => {
    const share = shareOf(CONFIG, 3);
    assert.deepEqual(
      [share.limits.maxHeld, share.cache.maxLookups, share.cache.maxUnknownLookups],
      [Math.ceil((256 << 20) / 3), 334, 334],
    );
    const { cache, limits, ...rest } = CONFIG;
    assert.deepEqual(
      {
        ...share,
        cache: { ...share.cache, maxLookups: cache.maxLookups, maxUnknownLookups: cache.maxUnknownLookups },
        limits: { ...share.limits, maxHeld: limits.maxHeld },
      },
      { ...rest, cache, limits },
    );
  });

  it('can be sent to another process', () => {
    const share = shareOf(CONFIG, 2);
    assert.deepEqual(JSON.parse(JSON.stringify(share)), share);
  });
});

describe('the number of workers', () => {
  it('is that of the cores, if it is left to the machine', () => {
    assert.deepEqual([workersOf({ workers: 'auto' }, 8), workersOf({ workers: 3 }, 8)], [8, 3]);
  });

  it('is one unless the configuration says otherwise', () => {
    assert.equal(configSchema.parse({}).workers, 1);
  });
});

describe('a worker that ends again and again', () => {
  it('is replaced at once the first time, then after a pause that doubles up to half a minute', () => {
    assert.deepEqual([1, 2, 3, 4, 8, 9, 1_000].map(pauseBefore), [0, 500, 1_000, 2_000, 30_000, 30_000, 30_000]);
  });
});
