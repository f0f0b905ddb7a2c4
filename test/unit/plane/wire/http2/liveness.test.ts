import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Liveness } from '../../../../../src/plane/wire/http2/liveness.ts';

const SECOND = 1_000;

describe('whether a collector is still there', () => {
  it('is asked when it owes an answer and has said nothing for 10 s', () => {
    const liveness = new Liveness(0);
    assert.equal(liveness.check(9 * SECOND, true), 'well');
    assert.equal(liveness.check(10 * SECOND, true), 'ping');
  });

  it('is not asked while it owes nothing, nor while it talks', () => {
    const liveness = new Liveness(0);
    for (let now = 0; now < 1_000 * SECOND; now += SECOND) assert.equal(liveness.check(now, false), 'well');
    for (let now = 1_000 * SECOND; now < 2_000 * SECOND; now += SECOND) {
      liveness.heard();
      assert.equal(liveness.check(now, true), 'well');
    }
  });

  it('is asked no more often than every 330 s', () => {
    const liveness = new Liveness(0);
    const pings: number[] = [];
    for (let now = 0; now < 3_600 * SECOND; now += SECOND) {
      if (liveness.check(now, true) !== 'ping') continue;
      pings.push(now);
      liveness.heard();
    }
    assert.ok(pings.length > 5);
    for (const [i, at] of pings.entries()) if (i > 0) assert.ok(at - (pings[i - 1] ?? 0) >= 330 * SECOND);
  });

  it('is answered by whatever it says within 20 s, or not at all', () => {
    const liveness = new Liveness(0);
    assert.equal(liveness.check(10 * SECOND, true), 'ping');
    liveness.heard();
    assert.equal(liveness.check(29 * SECOND, true), 'well');
    assert.equal(liveness.check(340 * SECOND, true), 'ping');
    assert.equal(liveness.check(360 * SECOND, true), 'well');
    assert.equal(liveness.check(361 * SECOND, true), 'dead');
  });

  it('is still to be answered when the call that it was asked for is gone', () => {
    const liveness = new Liveness(0);
    assert.equal(liveness.check(10 * SECOND, true), 'ping');
    assert.equal(liveness.check(31 * SECOND, false), 'dead');
  });
});
