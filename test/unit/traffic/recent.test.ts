import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Recent } from '../../../src/traffic/recent.ts';

describe('what is recent', () => {
  it('is made once and found again, as long as it is asked for', () => {
    const recent = new Recent<object>(10);
    const first = recent.use('a', () => ({}));
    for (let i = 0; i < 1_000; i++) {
      recent.use(`other ${i}`, () => ({}));
      assert.equal(
        recent.use('a', () => assert.fail('it was forgotten')),
        first,
      );
    }
  });

  it('is at least half of what it may be, and never more than that', () => {
    const recent = new Recent<number>(10);
    for (let i = 0; i < 100; i++) {
      recent.use(String(i), () => i);
      const held = Array.from({ length: 100 }, (_, k) => recent.peek(String(k))).filter((value) => value !== undefined);
      assert.ok(held.length <= 10, String(held.length));
      assert.deepEqual(
        held.slice(-5),
        Array.from({ length: Math.min(5, i + 1) }, (_, k) => i - Math.min(4, i) + k),
      );
    }
  });
});
