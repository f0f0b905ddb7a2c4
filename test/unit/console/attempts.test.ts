import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAttempts, MAX_ADDRESSES } from '../../../src/console/attempts.ts';

function setUp() {
  let nowMs = 0;
  return { attempts: createAttempts(() => nowMs), advance: (ms: number) => void (nowMs += ms) };
}

test('an address fails ten times at once, and then twice a minute', () => {
  const { attempts, advance } = setUp();
  const taken = Array.from({ length: 11 }, () => attempts.take('10.0.0.1'));
  assert.deepEqual(taken, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30_000]);
  assert.equal(attempts.take('10.0.0.2'), 0);
  advance(30_000);
  assert.deepEqual([attempts.take('10.0.0.1'), attempts.take('10.0.0.1')], [0, 30_000]);
});

test('a success does not count', () => {
  const { attempts } = setUp();
  for (let i = 0; i < 50; i++) {
    assert.equal(attempts.take('10.0.0.1'), 0);
    attempts.giveBack('10.0.0.1');
  }
});

test('so many addresses are remembered: the one that was heard of first makes room', () => {
  const { attempts } = setUp();
  for (let i = 0; i < 11; i++) attempts.take('10.0.0.1');
  for (let i = 0; i < MAX_ADDRESSES - 1; i++) attempts.take(`address ${i}`);
  assert.notEqual(attempts.take('10.0.0.1'), 0);
  attempts.take('one more');
  assert.equal(attempts.take('10.0.0.1'), 0);
});
