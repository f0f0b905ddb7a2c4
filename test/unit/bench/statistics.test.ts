import assert from 'node:assert/strict';
import { test } from 'node:test';
import { halfLoad, median, medians, quantile } from '../../../bench/statistics.ts';

test('the median of rounds is one of them, whatever their order', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2);
  assert.ok(Number.isNaN(median([])));
});

test('a quantile is the smallest value that the share of them does not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(
    [quantile(hundred, 0.5), quantile(hundred, 0.99), quantile(hundred, 1), quantile([7], 0.99)],
    [50, 99, 100, 7],
  );
});

test('each field has its own median, and one that was never measured has none', () => {
  const rounds = [
    { perSecond: 10, cpuMicros: Number.NaN },
    { perSecond: 30, cpuMicros: Number.NaN },
    { perSecond: 20, cpuMicros: Number.NaN },
  ];
  assert.deepEqual(medians(rounds), { perSecond: 20, cpuMicros: Number.NaN });
});

test('half load is half of the slowest, the same for each connection, and never nothing', () => {
  assert.equal(halfLoad([100_000, 20_100, 40_000], 8), 10_048);
  assert.equal(halfLoad([30], 64), 64);
});
