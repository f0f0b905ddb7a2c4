import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as fc from 'fast-check';
import type { Endpoint } from '../../../src/upstream/endpoint.ts';
import { createEndpoints } from '../../../src/upstream/endpoints.ts';
import { resolveBySystem } from '../../../src/upstream/resolver.ts';

const INTERVAL = 30_000;
const A = '192.0.2.1';
const B = '192.0.2.2';
const C = '2001:db8::3';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A name whose addresses the test says, or an error. */
async function setUp(t: TestContext, first: readonly string[] | Error, { host = 'collector', random = 0.5 } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let answer = first;
  let nowMs = 0;
  const asked: number[] = [];
  const seen: string[] = [];
  const endpoints = createEndpoints({
    target: { host, port: 4317, secure: false },
    resolveIntervalMs: INTERVAL,
    async resolve() {
      asked.push(nowMs);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    now: () => nowMs,
    random: () => random,
    observe: {
      addresses: (healthy, ejected) => seen.push(`${healthy} healthy, ${ejected} ejected`),
      ejected: ({ address }) => seen.push(`ejected ${address}`),
      resolved: (outcome, error) => seen.push(error ? `${outcome}: ${error.message}` : outcome),
    },
  });
  t.after(() => endpoints.close());
  const there = new Map<string, Endpoint>();
  const changes: string[] = [];
  endpoints.onChange((change, endpoint) => {
    changes.push(`${change} ${endpoint.address}`);
    if (change === 'added') there.set(endpoint.address, endpoint);
    else there.delete(endpoint.address);
  });
  await settled();

  function at(address: string): Endpoint {
    const endpoint = there.get(address);
    assert.ok(endpoint, `${address} is not there`);
    return endpoint;
  }
  return {
    endpoints,
    asked,
    seen,
    changes,
    at,
    picked: (times: number) => Array.from({ length: times }, () => endpoints.pick()?.address),
    answerWith: (next: readonly string[] | Error) => (answer = next),
    async advance(ms: number) {
      nowMs += ms;
      t.mock.timers.tick(ms);
      await settled();
    },
  };
}

describe('the addresses of a collector', () => {
  it('get requests in turn', async (t) => {
    const { picked } = await setUp(t, [A, B, C], { random: 0 });
    assert.deepEqual(picked(6), [B, C, A, B, C, A]);
  });

  it('do not all begin with the same one on gateways that start together', async (t) => {
    const firsts = new Set<string | undefined>();
    for (const random of [0, 0.4, 0.9]) {
      firsts.add((await setUp(t, [A, B, C], { random })).picked(1)[0]);
      t.mock.timers.reset();
    }
    assert.equal(firsts.size, 3);
  });

  it('are each one once, and only what is an address', async (t) => {
    const { changes } = await setUp(t, [A, 'nonsense', B, A, '']);
    assert.deepEqual(changes, [`added ${A}`, `added ${B}`]);
  });

  it('are at most 256, and those that are in use stay', async (t) => {
    const many = Array.from({ length: 400 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const { picked, answerWith, advance, changes } = await setUp(t, many.slice(300));
    answerWith(many);
    await advance(2 * INTERVAL);
    assert.equal(new Set(picked(1_000)).size, 256);
    assert.equal(changes.filter((change) => change.startsWith('removed')).length, 0);
  });

  it('are one that needs no name, and is there from the start', async (t) => {
    for (const host of ['127.0.0.1', '::1']) {
      const { endpoints, asked } = await setUp(t, [], { host });
      assert.equal(endpoints.pick()?.address, host);
      assert.deepEqual(asked, []);
      t.mock.timers.reset();
    }
  });

  it('are those of the hosts file too', async () => {
    const addresses = await resolveBySystem('localhost');
    assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'), addresses.join());
  });
});

describe('an address that fails', () => {
  it('gets no requests while it is ejected, and its share afterwards', async (t) => {
    const { at, picked, advance } = await setUp(t, [A, B, C]);
    at(B).failed('unreachable');
    assert.deepEqual(new Set(picked(30)), new Set([A, C]));
    await advance(1_000);
    assert.deepEqual(picked(30).filter((address) => address === B).length, 10);
  });

  it('gets requests like the others when all are ejected; the first that answers gets them all', async (t) => {
    const { at, picked } = await setUp(t, [A, B, C]);
    for (const address of [A, B, C]) at(address).failed('unreachable');
    assert.deepEqual(new Set(picked(3)), new Set([A, B, C]));
    at(C).succeeded();
    assert.deepEqual(new Set(picked(3)), new Set([C]));
  });

  it('is not the one that a request tries next, even if the only other one is ejected', async (t) => {
    const { endpoints, at } = await setUp(t, [A, B, C]);
    for (let i = 0; i < 6; i++) assert.notEqual(endpoints.pick(at(A))?.address, A);
    at(B).failed('unreachable');
    for (let i = 0; i < 6; i++) assert.equal(endpoints.pick(at(A))?.address, C);
    at(C).failed('unreachable');
    for (let i = 0; i < 6; i++) assert.notEqual(endpoints.pick(at(A))?.address, A);
  });

  it('leaves a request that has tried the only one with none', async (t) => {
    const { endpoints, at } = await setUp(t, [A]);
    assert.equal(endpoints.pick(at(A)), undefined);
    at(A).failed('unreachable');
    assert.equal(endpoints.pick(at(A)), undefined);
    assert.equal(endpoints.pick(), at(A));
  });

  it('is kept for a proxy’s 503 unless half of the addresses are left', async (t) => {
    const { at, picked } = await setUp(t, [A, B, C]);
    for (const address of [A, B, C]) for (let i = 0; i < 10; i++) at(address).failed('unavailable');
    assert.equal(new Set(picked(30)).size, 2);
  });

  it('is told of, with how many are well', async (t) => {
    const { at, seen, advance } = await setUp(t, [A, B]);
    at(A).failed('unreachable');
    await advance(1_000);
    assert.deepEqual(seen, ['2 healthy, 0 ejected', '1 healthy, 1 ejected', `ejected ${A}`, '2 healthy, 0 ejected']);
  });
});

describe('a name', () => {
  it('is resolved again and again; what is new is added before what is gone is removed', async (t) => {
    const { changes, answerWith, picked, advance, asked, at } = await setUp(t, [A, B]);
    const gone = at(A);
    answerWith([B, C]);
    await advance(INTERVAL);
    assert.deepEqual(changes, [`added ${A}`, `added ${B}`, `added ${C}`, `removed ${A}`]);
    assert.equal(gone.isRetired, true);
    assert.deepEqual(new Set(picked(10)), new Set([B, C]));
    await advance(INTERVAL);
    assert.deepEqual(asked, [0, INTERVAL, 2 * INTERVAL]);
  });

  for (const [what, answer] of [
    ['cannot be resolved', new Error('EAI_AGAIN')],
    ['has no address', []],
  ] as const) {
    it(`that ${what} any more keeps its addresses, and is asked for every few seconds until it is back`, async (t) => {
      const { answerWith, picked, advance, asked, seen } = await setUp(t, [A, B]);
      answerWith(answer);
      await advance(INTERVAL);
      assert.deepEqual(new Set(picked(10)), new Set([A, B]));
      for (let i = 0; i < 4; i++) await advance(1_500);
      assert.equal(asked.length, 6);
      answerWith([B]);
      await advance(1_500);
      assert.deepEqual(new Set(picked(10)), new Set([B]));
      const problem = answer instanceof Error ? answer.message : 'collector has no address';
      assert.deepEqual(seen, ['2 healthy, 0 ejected', `failed: ${problem}`, 'ok', '1 healthy, 0 ejected']);
    });
  }

  it('that is not found at first has no address to pick, until it has', async (t) => {
    const { endpoints, answerWith, advance } = await setUp(t, new Error('ENOTFOUND'));
    assert.equal(endpoints.pick(), undefined);
    answerWith([A]);
    await advance(2_000);
    assert.equal(endpoints.pick()?.address, A);
  });

  it('is resolved at once when an address is ejected, but no more often than every second', async (t) => {
    const { at, asked, advance, answerWith } = await setUp(t, [A, B]);
    await advance(5_000);
    at(A).failed('unreachable');
    at(B).failed('unreachable');
    await advance(0);
    assert.deepEqual(asked, [0, 5_000]);
    for (let i = 0; i < 20; i++) {
      await advance(100);
      for (const address of [A, B]) at(address).succeeded();
      for (const address of [A, B]) at(address).failed('unreachable');
    }
    assert.deepEqual(asked, [0, 5_000, 6_000, 7_000]);
    answerWith([C]);
    await advance(1_000);
    assert.equal(at(C).isEjected, false);
  });

  it('is not resolved any more once it is closed, and a late answer changes nothing', async (t) => {
    const { endpoints, asked, changes, answerWith, advance } = await setUp(t, [A]);
    answerWith([B]);
    endpoints.close();
    await advance(10 * INTERVAL);
    assert.deepEqual(asked, [0]);
    assert.deepEqual(changes, [`added ${A}`]);
  });
});

describe('whatever happens to the addresses', () => {
  const ADDRESSES = Array.from({ length: 6 }, (_, i) => `192.0.2.${i}`);
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom('unreachable', 'lost', 'unavailable', 'succeeded'), which: fc.nat(5) }),
    fc.record({ what: fc.constant('advance'), ms: fc.nat(40_000) }),
    fc.record({ what: fc.constant('answer'), addresses: fc.subarray(ADDRESSES) }),
  );

  it('requests go evenly to those that are there and well, to all if none is, and the counts are right', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(ADDRESSES, { minLength: 1 }),
        fc.array(step, { maxLength: 30 }),
        async (first, steps) => {
          const { endpoints, at, answerWith, advance, changes, seen } = await setUp(t, first);
          try {
            const known = new Set(first);
            for (const next of steps) {
              const before = changes.length;
              if ('addresses' in next) answerWith(next.addresses);
              else if ('ms' in next) await advance(next.ms);
              else {
                const address = [...known][next.which % known.size];
                assert.ok(address !== undefined);
                const endpoint = at(address);
                if (next.what === 'succeeded') endpoint.succeeded();
                else endpoint.failed(next.what);
              }
              for (const change of changes.slice(before)) {
                const [kind, address = ''] = change.split(' ');
                if (kind === 'added') known.add(address);
                else known.delete(address);
              }
              const all = [...known].map(at);
              const healthy = all.filter(({ isEjected }) => !isEjected);
              const expected = healthy.length > 0 ? healthy : all;
              const shares = new Map<Endpoint | undefined, number>();
              for (let i = 0; i < 2 * expected.length; i++) {
                const picked = endpoints.pick();
                shares.set(picked, (shares.get(picked) ?? 0) + 1);
              }
              assert.deepEqual(shares, new Map(expected.map((endpoint) => [endpoint, 2])));
              const counts = seen.findLast((line) => line.includes('healthy'));
              assert.equal(counts, `${healthy.length} healthy, ${all.length - healthy.length} ejected`);
            }
          } finally {
            endpoints.close();
            t.mock.timers.reset();
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
