import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { Endpoint } from '../../../src/upstream/endpoint.ts';
import type { EndpointFailure, Probe } from '../../../src/upstream/endpoint.ts';

/** With this `random` an ejection lasts exactly as long as it may. */
const LONGEST = 1 - Number.EPSILON;

function setUp(t: TestContext, { probe, canBeSpared = true }: { probe?: Probe; canBeSpared?: boolean } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const changes: string[] = [];
  const endpoint = new Endpoint({
    address: '192.0.2.1',
    port: 4317,
    random: () => LONGEST,
    probe,
    canBeSpared: () => canBeSpared,
    changed: ({ isEjected }) => changes.push(isEjected ? 'ejected' : 'back'),
  });
  return {
    endpoint,
    changes,
    fail(failure: EndpointFailure, times: number) {
      for (let i = 0; i < times; i++) endpoint.failed(failure);
    },
    /** How long it stays ejected from now on. */
    lasts(): number {
      let ms = 0;
      for (; endpoint.isEjected && ms < 100_000; ms += 100) t.mock.timers.tick(100);
      return ms;
    },
    advance: (ms: number) => t.mock.timers.tick(ms),
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an address of the collector', () => {
  const enough: readonly (readonly [EndpointFailure, number])[] = [
    ['unreachable', 1],
    ['lost', 3],
    ['unavailable', 10],
  ];
  for (const [failure, times] of enough) {
    it(`is ejected after ${times} in a row of the kind "${failure}", and not before`, (t) => {
      const { endpoint, fail } = setUp(t);
      fail(failure, times - 1);
      endpoint.succeeded();
      fail(failure, times - 1);
      assert.equal(endpoint.isEjected, false);
      fail(failure, 1);
      assert.equal(endpoint.isEjected, true);
    });
  }

  it('is ejected for a second, then for twice as long each time, and never for more than 30 seconds', (t) => {
    const { fail, lasts } = setUp(t);
    const times = Array.from({ length: 8 }, () => {
      fail('unreachable', 1);
      return lasts();
    });
    assert.deepEqual(times, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is ejected no longer because of the many requests that failed together', (t) => {
    const { fail, lasts, changes } = setUp(t);
    fail('unreachable', 500);
    assert.equal(lasts(), 1_000);
    assert.deepEqual(changes, ['ejected', 'back']);
  });

  it('is on trial when it is back: one failure more, and it is out; one success, and it is as it was', (t) => {
    const { endpoint, fail, lasts } = setUp(t);
    fail('lost', 3);
    lasts();
    fail('lost', 1);
    assert.equal(lasts(), 2_000);
    endpoint.succeeded();
    fail('lost', 2);
    assert.equal(endpoint.isEjected, false);
    fail('lost', 1);
    assert.equal(lasts(), 1_000);
  });

  it('is not out on trial for what may be no fault of its own', (t) => {
    const { endpoint, fail, lasts } = setUp(t);
    fail('unreachable', 1);
    lasts();
    fail('unavailable', 9);
    assert.equal(endpoint.isEjected, false);
  });

  it('is back as soon as it answers', (t) => {
    const { endpoint, fail, changes, advance } = setUp(t);
    fail('unreachable', 1);
    endpoint.succeeded();
    assert.equal(endpoint.isEjected, false);
    advance(100_000);
    assert.deepEqual(changes, ['ejected', 'back']);
  });

  it('is kept though something in front of it says 503 again and again, when too few others are well', (t) => {
    const { endpoint, fail } = setUp(t, { canBeSpared: false });
    fail('unavailable', 1_000);
    assert.equal(endpoint.isEjected, false);
    fail('unreachable', 1);
    assert.equal(endpoint.isEjected, true);
  });

  it('does not change any more once it is retired', (t) => {
    const { endpoint, fail, changes, advance } = setUp(t);
    fail('unreachable', 1);
    endpoint.retire();
    endpoint.succeeded();
    fail('unreachable', 1);
    advance(100_000);
    assert.deepEqual(changes, ['ejected']);
  });
});

describe('an ejected address with a probe', () => {
  let probes = 0;
  beforeEach(() => (probes = 0));

  it('comes back when it passes, after ever longer pauses', async (t) => {
    const passes = [false, false, true];
    const { endpoint, fail, advance } = setUp(t, { probe: async () => passes[probes++] === true });
    fail('unreachable', 1);
    for (const [pause, count] of [
      [1_000, 1],
      [2_000, 2],
      [4_000, 3],
    ] as const) {
      advance(pause - 1);
      assert.equal(probes, count - 1);
      advance(1);
      assert.equal(probes, count);
      assert.equal(endpoint.isEjected, true);
      await settled();
    }
    assert.equal(endpoint.isEjected, false);
    fail('lost', 1);
    assert.equal(endpoint.isEjected, true, 'passing a probe is not yet a success');
  });

  for (const [what, probe] of [
    ['breaks', () => Promise.reject(new Error('broken'))],
    ['never ends', () => new Promise<boolean>(() => {})],
  ] as const) {
    it(`stays out while its probe ${what}, and is probed again`, async (t) => {
      const { endpoint, fail, advance } = setUp(t, { probe: () => (probes++, probe()) });
      fail('unreachable', 1);
      for (const pause of [1_000, 2_000, 4_000]) {
        advance(pause);
        await settled();
      }
      assert.equal(probes, 3);
      assert.equal(endpoint.isEjected, true);
    });
  }

  it('is not probed once it answers, or is retired', async (t) => {
    const { endpoint, fail, advance } = setUp(t, { probe: async () => (probes++, true) });
    fail('unreachable', 1);
    endpoint.succeeded();
    fail('unreachable', 1);
    endpoint.retire();
    advance(100_000);
    await settled();
    assert.equal(probes, 0);
  });
});
