import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';
import { perKey, talliedCounter, talliedHistogram } from '../../../src/telemetry/tally.ts';

const BUCKETS = [0.001, 0.01, 0.1, 1, 10];
const COUNTER = { name: 'things_total', help: 'Things.', labelNames: ['kind', 'color'] as const };
const HISTOGRAM = { name: 'thing_seconds', help: 'Times.', labelNames: ['kind'] as const, buckets: BUCKETS };

const kind = fc.constantFrom('a', 'b', 'none');
const color = fc.constantFrom('red', 'green');
const seconds = fc.oneof(
  fc.constantFrom(0, ...BUCKETS),
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.double({ min: 0, max: 0.02, noNaN: true }),
);
const step = fc.oneof(
  fc.record({ what: fc.constant('count'), kind, color, by: fc.nat(1_000_000) }),
  fc.record({ what: fc.constant('observe'), kind, seconds }),
  fc.record({ what: fc.constant('scrape') }),
);

describe('tallied metrics', () => {
  it('are at every scrape what prom-client’s own would be, to the last one counted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const [tallied, own] = [new Registry(), new Registry()];
        const counter = new Counter({ ...COUNTER, registers: [own] });
        const histogram = new Histogram({ ...HISTOGRAM, registers: [own] });
        const countersOf = talliedCounter({ ...COUNTER, registers: [tallied] });
        const histogramsOf = talliedHistogram({ ...HISTOGRAM, registers: [tallied] });
        const count = perKey((ofKind: string) =>
          perKey((ofColor: string) => countersOf({ kind: ofKind, color: ofColor })),
        );
        const times = perKey((ofKind: string) => histogramsOf({ kind: ofKind }));
        for (const next of [...steps, { what: 'scrape' } as const]) {
          if (next.what === 'count') {
            counter.inc({ kind: next.kind, color: next.color }, next.by);
            count(next.kind)(next.color).count += next.by;
          } else if (next.what === 'observe') {
            histogram.observe({ kind: next.kind }, next.seconds);
            times(next.kind).observe(next.seconds);
          } else {
            assert.equal(await tallied.metrics(), await own.metrics());
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('have a series only for what was counted, though it be none', async () => {
    const registry = new Registry();
    const seriesOf = talliedCounter({ ...COUNTER, registers: [registry] });
    talliedHistogram({ ...HISTOGRAM, registers: [registry] })({ kind: 'a' });
    seriesOf({ kind: 'a', color: 'red' });
    const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(lines, ['things_total{kind="a",color="red"} 0']);
  });
});
