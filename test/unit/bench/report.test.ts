import assert from 'node:assert/strict';
import { test } from 'node:test';
import { between, renderGoals, renderScenario } from '../../../bench/report.ts';
import type { Cell, Result } from '../../../bench/report.ts';

const NOTHING = { p50Ms: Number.NaN, p99Ms: Number.NaN };
const cell = (fields: Partial<Cell>): Cell => ({
  perSecond: 1_000,
  busyPercent: 99,
  othersPercent: 0,
  cpuMicros: 10,
  rssMib: 100,
  p50Ms: 2,
  p99Ms: 5,
  ...fields,
});

const RESULT: Result = {
  scenario: {
    name: 'gRPC 200 B',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 200,
    goals: { nginx: 3, haproxy: 1.5, library: 8 },
  },
  pacePerSecond: 12_000,
  cells: {
    straight: cell({ perSecond: 200_000, p50Ms: 1, p99Ms: 1.5 }),
    wire: cell({ perSecond: 100_000, busyPercent: 80, p50Ms: 1.25, p99Ms: 2 }),
    library: cell({ perSecond: 9_000, cpuMicros: 100, ...NOTHING }),
    nginx: cell({ perSecond: 25_000, cpuMicros: 40, p99Ms: 3 }),
    haproxy: cell({ perSecond: 80_000, cpuMicros: 12, p99Ms: 1.75 }),
  },
};

test('a scenario is a table with what each server adds, and says where the load was the limit', () => {
  assert.equal(
    renderScenario(RESULT),
    [
      '| gRPC 200 B | requests/s | of its core | CPU µs each | p50 at 12,000/s | p99 | RSS, MiB |',
      '|---|---|---|---|---|---|---|',
      '| straight to the collector | 200,000 |  |  | 1.00 ms | 1.50 ms |  |',
      '| Keygate, wire plane | ≥ 100,000 | 80 % | 10.0 | +0.25 ms | +0.50 ms | 100 |',
      '| Keygate, library plane | 9,000 | 99 % | 100.0 |  |  | 100 |',
      '| nginx + Lua + lrucache + Redis | 25,000 | 99 % | 40.0 | +1.00 ms | +1.50 ms | 100 |',
      '| HAProxy, one static key | 80,000 | 99 % | 12.0 | +1.00 ms | +0.25 ms | 100 |',
    ].join('\n'),
  );
});

test('a machine with other work to do is not passed over in silence', () => {
  const cells = { ...RESULT.cells, nginx: cell({ othersPercent: 34 }) };
  assert.match(renderScenario({ ...RESULT, cells }), /other programs took up to 34 % of that core/);
});

test('goals are ratios in requests, with those in CPU time beside them, and say which are missed', () => {
  assert.equal(
    renderGoals([RESULT]),
    [
      '| Keygate, wire plane | against nginx + Lua + lrucache + Redis | against HAProxy, one static key | against Keygate, library plane |',
      '|---|---|---|---|',
      '| gRPC 200 B | 4.00x (CPU 4.00x), goal 3x: met | 1.25x (CPU 1.20x), goal 1.5x: missed | 11.11x (CPU 10.00x), goal 8x: met |',
      '| p99 added at half load, gRPC 200 B | +0.50 ms to +1.50 ms: met | +0.50 ms to +0.25 ms: missed |  |',
    ].join('\n'),
  );
});

test('a goal that the load did not let the plane reach is judged by the CPU time of a request', () => {
  const cells = { wire: cell({ perSecond: 1_100, busyPercent: 60 }), nginx: cell({ cpuMicros: 40 }) };
  assert.match(
    renderGoals([{ ...RESULT, cells }]),
    /1\.10x \(CPU 4\.00x\), goal 3x: met in CPU time, the load was the limit/,
  );
});

test('results go between the markers, and the rest of the page stays', () => {
  const other = '<!-- npm run b writes from here -->\nother\n<!-- to here -->\n';
  const page = `before\n${other}<!-- npm run bench writes from here -->\nold\n<!-- to here -->\nafter\n`;
  const written = `before\n${other}<!-- npm run bench writes from here -->\n\nnew\n\n<!-- to here -->\nafter\n`;
  assert.equal(between(page, 'npm run bench', 'new\n'), written);
  assert.equal(between(written, 'npm run bench', 'new'), written);
  assert.throws(() => between('no markers', 'npm run bench', 'new'), /no place for the results/);
});
