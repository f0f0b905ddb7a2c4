import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, size } from '../../../src/config/units.ts';

test('durations are read as milliseconds', () => {
  const schema = duration('0s', '365d');
  const texts = ['0s', '1ms', '1.5s', '2m', '1h', '30d'];
  assert.deepEqual(
    texts.map((text) => schema.parse(text)),
    [0, 1, 1500, 120_000, 3_600_000, 2_592_000_000],
  );
});

test('sizes are read as bytes', () => {
  const schema = size('1B', '1GiB');
  const texts = ['1B', '1KiB', '0.5MiB', '64MiB', '1GiB'];
  assert.deepEqual(
    texts.map((text) => schema.parse(text)),
    [1, 1024, 524_288, 67_108_864, 1_073_741_824],
  );
});

test('the bounds themselves are allowed, and one step beyond them is not', () => {
  const schema = duration('100ms', '10m');
  const allowed = ['99ms', '100ms', '10m', '600001ms'].map((text) => schema.safeParse(text).success);
  assert.deepEqual(allowed, [false, true, true, false]);
});

test('whatever is not an amount with a unit is told the units and the bounds', () => {
  const schema = duration('1s', '24h');
  for (const value of ['5', '5 s', 's', '-5s', '5sec', '5MiB', '1e3s', '', 5, null, undefined]) {
    assert.deepEqual(
      schema.safeParse(value).error?.issues.map(({ message }) => message),
      ['must be a duration from 1s to 24h, with its unit: ms, s, m, h, d'],
      `for ${String(value)}`,
    );
  }
});

test('an option whose own bounds are not quantities does not come into being', () => {
  assert.throws(() => size('1KB', '1GiB'), new TypeError('bounds must be written as a size: 1KB, 1GiB'));
});
