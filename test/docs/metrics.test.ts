import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KEY_METRICS } from '../../src/telemetry/key-metrics.ts';
import { newMetrics } from '../support/metrics.ts';

const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

interface Described {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const byName = (a: Described, b: Described): number => a.name.localeCompare(b.name);

function fromPage(): Described[] {
  return page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, name]) => /^`keygate_\w+`$/.test(name ?? ''))
    .map(([, name = '', type = '', labels = '']) => ({
      name: name.replaceAll('`', ''),
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    }))
    .sort(byName);
}

test('the page names every metric with its type and labels, and no other', () => {
  const { registry } = newMetrics();
  const inCode = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('keygate_'))
    .map((metric) => ({
      name: metric.name,
      // prom-client's types leave out what every metric of it has.
      type: String((metric as { type?: unknown }).type),
      labels: (metric as { labelNames?: readonly string[] }).labelNames ?? [],
    }));
  const all = [...inCode, ...Object.values(KEY_METRICS).map(({ name, type, labels }) => ({ name, type, labels }))];
  assert.ok(inCode.length > 10);
  assert.deepEqual(fromPage(), all.sort(byName));
});

test('the page says what each metric is for', () => {
  for (const line of page.split('\n').filter((text) => text.startsWith('| `keygate_'))) {
    assert.ok((line.split('|')[4] ?? '').trim().length > 10, line);
  }
});
