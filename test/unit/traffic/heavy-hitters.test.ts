import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeavyHitters } from '../../../src/traffic/heavy-hitters.ts';

const MINUTE = 60_000;

function hitters(capacity: number) {
  const all = new HeavyHitters<string>({ capacity, halfLifeMs: MINUTE });
  return { all, add: (key: string, nowMs: number) => all.add(key, nowMs, () => key) };
}

describe('the heaviest of many', () => {
  it('are found among any number of others, in the memory of a few', () => {
    const { all, add } = hitters(50);
    let described = 0;
    let state = 1;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let i = 0; i < 200_000; i++) {
      const at = i / 2; // 2,000 a second
      const dice = random();
      if (dice < 0.3) add('heavy', at);
      else if (dice < 0.4) add('half as heavy', at);
      else all.add(`stranger ${i}`, at, () => (described++, 'stranger'));
    }
    const top = all.top(2, 100_000);
    assert.deepEqual(
      top.map(({ what }) => what),
      ['heavy', 'half as heavy'],
    );
    assert.ok(described > 100_000, 'the others came one by one');
  });

  it('are told with their rate, which follows what happens', () => {
    const { all, add } = hitters(10);
    for (let at = 0; at < 10 * MINUTE; at += 100) add('steady', at); // 10 a second
    const [steady] = all.top(1, 10 * MINUTE);
    assert.ok(Math.abs((steady?.perSecond ?? 0) - 10) < 0.5, String(steady?.perSecond));
    assert.deepEqual([steady?.count, steady?.firstAtMs, steady?.lastAtMs], [6_000, 0, 10 * MINUTE - 100]);
    const [faded] = all.top(1, 13 * MINUTE);
    assert.ok(Math.abs((faded?.perSecond ?? 0) - 10 / 8) < 0.1, 'half as much after each half-life');
  });

  it('are told with their rate from the beginning, and not as if they had been silent before', () => {
    const { all, add } = hitters(10);
    for (let at = 0; at < 10_000; at += 10) add('flood', at); // 100 a second
    add('once', 9_999);
    const [flood, once] = all.top(2, 10_000);
    assert.ok(Math.abs((flood?.perSecond ?? 0) - 100) < 5, String(flood?.perSecond));
    assert.ok((once?.perSecond ?? 9) < 0.5, 'one event is no rate');
  });

  it('are not those whose place a newcomer has taken', () => {
    const { all, add } = hitters(2);
    for (let i = 0; i < 100; i++) add('a', 0);
    for (let i = 0; i < 50; i++) add('b', 0);
    add('c', 0);
    const [first, second] = all.top(5, 0);
    assert.deepEqual([first?.what, second?.what], ['a', 'c']);
    assert.equal(second?.count, 1);
    assert.ok((second?.perSecond ?? 9) < (first?.perSecond ?? 0) / 50, 'what b did is not said of c');
  });

  it('go on being found after any time', () => {
    const { all, add } = hitters(4);
    const years = 3 * 365 * 24 * 60 * MINUTE;
    add('old', 0);
    for (let i = 0; i < 10; i++) add('new', years + i * 1_000);
    const [first, second] = all.top(2, years + 10_000);
    assert.equal(first?.what, 'new');
    assert.ok(Number.isFinite(first?.perSecond) && (first?.perSecond ?? 0) > 0.05);
    assert.ok((second?.perSecond ?? 1) < 1e-9);
  });
});
