import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createBudgets } from '../../../src/budget/budgets.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import type { KeyLimits } from '../../../src/keys/scope.ts';
import { newRecord } from '../../support/stores.ts';

/** Budgets on a clock that only the test moves. */
function setUp(maxKeys = 10, isShared = false) {
  let nowMs = 5_000;
  const budgets = createBudgets({ now: () => nowMs, maxKeys, isShared });
  return {
    ...budgets,
    advance: (ms: number) => void (nowMs += ms),
    /** `allow`, or the reason and after how many milliseconds to come back. */
    ask(key: KeyRecord): string {
      const decision = budgets.charge({ verdict: 'allow', key });
      return decision.verdict === 'allow' ? 'allow' : `${decision.reason} ${decision.retryAfterMs}`;
    },
  };
}

function limited(limits: KeyLimits): KeyRecord {
  return newRecord({ limits });
}

describe('a key that may send so many requests a second', () => {
  it('may send its burst at once, and one more each time another one is due', () => {
    const { ask, advance } = setUp();
    const key = limited({ requestsPerSecond: 4, requestBurst: 2 });
    assert.deepEqual([ask(key), ask(key), ask(key)], ['allow', 'allow', 'rate_limited 250']);
    advance(125);
    assert.equal(ask(key), 'rate_limited 125');
    advance(125);
    assert.deepEqual([ask(key), ask(key)], ['allow', 'rate_limited 250']);
  });

  it('may send at once what a second brings, if no burst is given', () => {
    const { ask } = setUp();
    const key = limited({ requestsPerSecond: 2 });
    assert.deepEqual([ask(key), ask(key), ask(key)], ['allow', 'allow', 'rate_limited 500']);
  });

  it('saves up no more than its burst', () => {
    const { ask, advance } = setUp();
    const key = limited({ requestsPerSecond: 1, requestBurst: 2 });
    ask(key);
    advance(3_600_000);
    assert.deepEqual([ask(key), ask(key), ask(key)], ['allow', 'allow', 'rate_limited 1000']);
  });

  it('pays nothing for a request that is refused', () => {
    const { ask, advance } = setUp();
    const key = limited({ requestsPerSecond: 1 });
    ask(key);
    for (let i = 0; i < 100; i++) ask(key);
    advance(1_000);
    assert.equal(ask(key), 'allow');
  });

  it('leaves the others their own', () => {
    const { ask } = setUp();
    const limits = { requestsPerSecond: 1 };
    const [one, other] = [limited(limits), limited(limits)];
    assert.deepEqual([ask(one), ask(one), ask(other)], ['allow', 'rate_limited 1000', 'allow']);
  });

  it('has new limits from its next request on', () => {
    const { ask, advance } = setUp();
    const key = limited({ requestsPerSecond: 1 });
    ask(key);
    const raised = { ...key, limits: { requestsPerSecond: 1_000, requestBurst: 2 } };
    advance(2);
    assert.deepEqual([ask(raised), ask(raised), ask(raised)], ['allow', 'allow', 'rate_limited 1']);
    assert.equal(ask(newRecord({ ...raised, limits: undefined })), 'allow');
  });

  it('never gets more through than its burst and its rate add up to', () => {
    const steps = fc.array(fc.nat({ max: 400 }), { maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        (perSecond, burst, waits) => {
          const { ask, advance } = setUp();
          const key = limited({ requestsPerSecond: perSecond, requestBurst: burst });
          let [allowed, elapsedMs] = [0, 0];
          for (const ms of waits) {
            advance(ms);
            elapsedMs += ms;
            if (ask(key) === 'allow') allowed += 1;
            assert.ok(allowed <= burst + (elapsedMs / 1_000) * perSecond + 1e-6);
          }
        },
      ),
    );
  });
});

describe('a key that may send so many bytes a second', () => {
  it('is refused once its bytes are used up, until there are some again', () => {
    const { ask, debit, advance } = setUp();
    const key = limited({ bytesPerSecond: 1_000 });
    assert.equal(ask(key), 'allow');
    debit(key, 600);
    assert.equal(ask(key), 'allow');
    debit(key, 400);
    assert.equal(ask(key), 'quota_exceeded 1');
    advance(1);
    assert.equal(ask(key), 'allow');
  });

  it('pays back what went beyond before it may send again', () => {
    const { ask, debit, advance } = setUp();
    const key = limited({ bytesPerSecond: 1_000, byteBurst: 2_000 });
    debit(key, 5_000);
    assert.equal(ask(key), 'quota_exceeded 3001');
    advance(3_001);
    assert.equal(ask(key), 'allow');
  });

  it('pays no request while its bytes are used up', () => {
    const { ask, debit, advance } = setUp();
    const key = limited({ bytesPerSecond: 1_000, requestsPerSecond: 1 });
    debit(key, 1_000);
    assert.equal(ask(key), 'quota_exceeded 1');
    advance(1);
    assert.deepEqual([ask(key), ask(key)], ['allow', 'rate_limited 1000']);
  });

  it('may send any number of requests, as one with a request limit any number of bytes', () => {
    const { ask, debit } = setUp();
    const [bytes, requests] = [limited({ bytesPerSecond: 1 }), limited({ requestsPerSecond: 1 })];
    debit(requests, 1e9);
    assert.equal(ask(requests), 'allow');
    assert.deepEqual(new Set(Array.from({ length: 100 }, () => ask(bytes))), new Set(['allow']));
  });
});

describe('what keys have used', () => {
  it('is not looked at for one without limits: the very verdict comes back', () => {
    const { charge, debit } = setUp();
    const allowed = { verdict: 'allow', key: newRecord() } as const;
    debit(allowed.key, 1e9);
    assert.equal(charge(allowed), allowed);
  });

  it('is remembered of so many keys; the one that was longest unused begins anew', () => {
    const { ask } = setUp(2);
    const [a, b, c] = [1, 2, 3].map(() => limited({ requestsPerSecond: 1 })) as [KeyRecord, KeyRecord, KeyRecord];
    assert.deepEqual([ask(a), ask(b), ask(a)], ['allow', 'allow', 'rate_limited 1000']);
    assert.deepEqual([ask(c), ask(a), ask(b)], ['allow', 'rate_limited 1000', 'allow']);
  });
});

describe('a key whose connections are at several processes', () => {
  /** Two processes that keep the same budgets; `share` tells each what the other has spent. */
  function twoProcesses() {
    const [a, b] = [setUp(10, true), setUp(10, true)];
    return {
      a,
      b,
      share() {
        const [ofA, ofB] = [a.takeSpent(), b.takeSpent()];
        a.spentElsewhere(ofB);
        b.spentElsewhere(ofA);
      },
      advance(ms: number) {
        a.advance(ms);
        b.advance(ms);
      },
    };
  }

  it('has one budget of requests, wherever it sends', () => {
    const { a, b, share, advance } = twoProcesses();
    const key = limited({ requestsPerSecond: 1, requestBurst: 3 });
    assert.deepEqual([a.ask(key), a.ask(key), a.ask(key)], ['allow', 'allow', 'allow']);
    share();
    assert.equal(b.ask(key), 'rate_limited 1000', 'a key that was never seen there');
    advance(1_000);
    assert.equal(b.ask(key), 'allow');
    share();
    assert.equal(a.ask(key), 'rate_limited 1000');
  });

  it('has one budget of bytes', () => {
    const { a, b, share } = twoProcesses();
    const key = limited({ bytesPerSecond: 100 });
    a.debit(key, 150);
    share();
    assert.equal(b.ask(key), 'quota_exceeded 510');
  });

  it('is never refused within its limits, however unevenly it sends', () => {
    const { a, b, share, advance } = twoProcesses();
    const key = limited({ requestsPerSecond: 10, requestBurst: 10 });
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 9; i++) assert.equal(a.ask(key), 'allow');
      assert.equal(b.ask(key), 'allow');
      share();
      advance(1_000);
    }
  });

  it('pays back what it was let through before the news had come', () => {
    const { a, b, share, advance } = twoProcesses();
    const key = limited({ requestsPerSecond: 1, requestBurst: 2 });
    for (const { ask } of [a, b]) assert.deepEqual([ask(key), ask(key)], ['allow', 'allow']);
    share();
    assert.deepEqual([a.ask(key), b.ask(key)], ['rate_limited 3000', 'rate_limited 3000']);
    advance(3_000);
    assert.equal(a.ask(key), 'allow');
  });

  it('over a long time gets its rate, and one burst, to the request', () => {
    const { a, b, share, advance } = twoProcesses();
    const key = limited({ requestsPerSecond: 4, requestBurst: 8 });
    let allowed = 0;
    for (let i = 0; i < 10_000; i++) {
      for (const { ask } of [a, b]) if (ask(key) === 'allow') allowed += 1;
      share();
      advance(50);
    }
    // At most one too many, which is still to be paid back.
    assert.ok(Math.abs(allowed - (8 + 500 * 4)) <= 1, `${allowed}`);
  });

  it('tells what it has spent once', () => {
    const { a } = twoProcesses();
    const key = limited({ requestsPerSecond: 1, bytesPerSecond: 10 });
    a.ask(key);
    a.debit(key, 7);
    assert.deepEqual(a.takeSpent(), [{ key: { id: key.id, limits: key.limits }, requests: 1, bytes: 7 }]);
    assert.deepEqual(a.takeSpent(), []);
  });

  it('is told of no more keys than there is room for, and by a process alone of none', () => {
    const { ask, takeSpent } = setUp(2, true);
    for (let i = 0; i < 3; i++) ask(limited({ requestsPerSecond: 1 }));
    assert.equal(takeSpent().length, 2);
    const alone = setUp();
    alone.ask(limited({ requestsPerSecond: 1 }));
    assert.deepEqual(alone.takeSpent(), []);
  });
});
