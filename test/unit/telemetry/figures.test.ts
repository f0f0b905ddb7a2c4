import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { addUp, countsIn, figuresText, GAUGE_RULES, readFigures } from '../../../src/telemetry/figures.ts';
import type { Figures } from '../../../src/telemetry/figures.ts';
import { newMetrics } from '../../support/metrics.ts';
import { newReport } from '../../support/reports.ts';

const create = () => newMetrics({ cacheSizes: () => ({ known: 7, unknown: 3 }) });

/** A registry like that of a process: each kind of metric, with this much in it. */
async function figuresOf(count: number, gauge: number): Promise<Figures> {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'requests_total', help: 'Requests.', labelNames: ['how'], registers }).inc({ how: 'a' }, count);
  new Gauge({ name: 'keygate_store_up', help: 'Up.', registers }).set(gauge);
  new Gauge({ name: 'keygate_connections', help: 'Open.', labelNames: ['port'], registers }).set(
    { port: 'grpc' },
    gauge,
  );
  const seconds = new Histogram({ name: 'seconds', help: 'Seconds.', buckets: [1, 2], registers });
  for (let i = 0; i < count; i++) seconds.observe(gauge);
  // As it comes from another process.
  return JSON.parse(JSON.stringify(await readFigures(registry))) as Figures;
}

const linesOf = (figures: Figures): string[] =>
  figuresText(figures)
    .split('\n')
    .filter((line) => /^[^#]/.test(line));

describe('the figures of several processes', () => {
  it('add up what was counted, bucket by bucket, and go by their rule in all else', async () => {
    assert.deepEqual(linesOf(addUp([await figuresOf(2, 1), await figuresOf(3, 0)])), [
      'requests_total{how="a"} 5',
      'keygate_store_up 0',
      'keygate_connections{port="grpc"} 1',
      'seconds_bucket{le="1"} 5',
      'seconds_bucket{le="2"} 5',
      'seconds_bucket{le="+Inf"} 5',
      'seconds_sum 2',
      'seconds_count 5',
    ]);
  });

  it('keep what one has counted that has ended, and nothing else of it', async () => {
    const departed = countsIn(await figuresOf(2, 1));
    assert.deepEqual(linesOf(addUp([departed, await figuresOf(1, 1)])), [
      'requests_total{how="a"} 3',
      'seconds_bucket{le="1"} 3',
      'seconds_bucket{le="2"} 3',
      'seconds_bucket{le="+Inf"} 3',
      'seconds_sum 3',
      'seconds_count 3',
      'keygate_store_up 1',
      'keygate_connections{port="grpc"} 1',
    ]);
  });

  it('are taken over unchanged: those that were added up are as they were', async () => {
    const [a, b] = [await figuresOf(2, 1), await figuresOf(3, 0)];
    const before = JSON.stringify([a, b]);
    addUp([a, b]);
    assert.equal(JSON.stringify([a, b]), before);
  });

  it('name the earliest time that there is', () => {
    const at = (value: number): Figures => [
      { name: 'keygate_canary_last_kept_timestamp_seconds', help: '', type: 'gauge', values: [{ labels: {}, value }] },
    ];
    const earliest = (...values: readonly number[]) => addUp(values.map(at))[0]?.values[0]?.value;
    assert.deepEqual([earliest(5, 3, 4), earliest(0, 7), earliest(7, 0), earliest(0, 0)], [3, 7, 7, 0]);
  });

  it('read as prom-client itself writes those of one process', async () => {
    const metrics = create();
    metrics.started('grpc');
    metrics.ended(newReport({ outcome: 'unknown_key', decisionSeconds: 0.01 }));
    metrics.certificatesEnd([{ use: 'a "strange" \\ \n label', atMs: 1_000 }]);
    const ours = linesOf((await readFigures(metrics.registry)).filter(({ name }) => name.startsWith('keygate_')));
    const theirs = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('keygate_'));
    assert.ok(ours.length > 60);
    assert.deepEqual(ours, theirs);
  });
});

describe('the rules for gauges', () => {
  it('are there for each gauge of ours, for each that Node has here, and for no other of ours', async () => {
    const gauges = (await readFigures(create().registry))
      .filter(({ type }) => type === 'gauge')
      .map(({ name }) => name);
    const withoutRule = gauges.filter((name) => !(name in GAUGE_RULES));
    assert.deepEqual(withoutRule, []);
    const ofNothing = Object.keys(GAUGE_RULES).filter((name) => name.startsWith('keygate_') && !gauges.includes(name));
    assert.deepEqual(ofNothing, []);
  });

  it('are none for what is counted', async () => {
    const counts = countsIn(await readFigures(create().registry)).map(({ name }) => name);
    assert.deepEqual(
      counts.filter((name) => name in GAUGE_RULES),
      [],
    );
  });
});
