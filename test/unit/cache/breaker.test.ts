import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBreaker } from '../../../src/cache/breaker.ts';
import type { Permit } from '../../../src/cache/breaker.ts';

const PAUSE = 250;

function setUp() {
  const states: string[] = [];
  let nowMs = 0;
  const breaker = createBreaker({ now: () => nowMs, changed: (state) => states.push(state) });
  function admitted(): Permit {
    const permit = breaker.admit();
    assert.ok(permit, 'it was not admitted');
    return permit;
  }
  function fail(times: number): void {
    for (let i = 0; i < times; i++) admitted().failed();
  }
  return { breaker, states, admitted, fail, advance: (ms: number) => void (nowMs += ms) };
}

describe('the breaker', () => {
  it('lets everything through while reads succeed, or fail now and then', () => {
    const { states, admitted, fail } = setUp();
    for (let i = 0; i < 10; i++) {
      fail(4);
      admitted().answered();
    }
    assert.deepEqual(states, []);
  });

  it('opens after five failures in a row, and admits nothing for a while', () => {
    const { breaker, states, fail, advance } = setUp();
    fail(5);
    assert.deepEqual(states, ['open']);
    advance(PAUSE - 1);
    assert.equal(breaker.admit(), undefined);
  });

  it('admits one probe at a time, with a pause after each that failed', () => {
    const { breaker, states, admitted, fail, advance } = setUp();
    fail(5);
    for (let i = 0; i < 3; i++) {
      advance(PAUSE);
      const probe = admitted();
      advance(10 * PAUSE); // it takes its time
      assert.equal(breaker.admit(), undefined, 'a second probe');
      probe.failed();
      advance(PAUSE - 1);
      assert.equal(breaker.admit(), undefined, 'no pause');
      advance(1 - PAUSE);
    }
    assert.deepEqual(states, ['open']);
  });

  it('closes when a probe is answered, and counts failures from the beginning', () => {
    const { states, admitted, fail, advance } = setUp();
    fail(5);
    advance(PAUSE);
    admitted().answered();
    assert.deepEqual(states, ['open', 'closed']);
    fail(4);
    admitted().answered();
    assert.deepEqual(states, ['open', 'closed']);
    fail(5);
    assert.deepEqual(states, ['open', 'closed', 'open']);
  });

  it('is not moved by late failures of reads that began before it opened, but closed by a late answer', () => {
    const { breaker, states, admitted, fail, advance } = setUp();
    const [late, later] = [admitted(), admitted()];
    fail(5);
    advance(PAUSE);
    const probe = admitted();
    late.failed();
    advance(PAUSE);
    assert.equal(breaker.admit(), undefined, 'a second probe');
    later.answered();
    assert.deepEqual(states, ['open', 'closed']);
    probe.failed();
    assert.deepEqual(states, ['open', 'closed']);
    admitted().answered();
  });
});
