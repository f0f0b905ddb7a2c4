import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderDashboard } from '../../src/telemetry/dashboard/generate.ts';
import { DASHBOARD_TEXT, GRAFANA_DASHBOARD, panelsOf } from '../support/dashboard.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const panels = panelsOf(GRAFANA_DASHBOARD);
const expressions = [
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
  ...GRAFANA_DASHBOARD.annotations.list.map(({ name, expr }) => ({ title: name, expr })),
];

/** The labels of each metric that docs/metrics.md describes. */
const documented = new Map(
  read('docs/metrics.md')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, name = '']) => /^`keygate_\w+`$/.test(name))
    .map(([, name = '', , labels = '']): [string, string[]] => [
      name.replaceAll('`', ''),
      [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    ]),
);

const metricsIn = (expr: string): string[] =>
  [...expr.matchAll(/\bkeygate_\w+/g)].map(([name]) => {
    const histogram = name.replace(/_(?:bucket|sum|count)$/, '');
    return documented.has(name) ? name : histogram;
  });

test('the dashboard is what its rows say', () => {
  assert.equal(DASHBOARD_TEXT, renderDashboard(), 'npm run generate');
});

test('every metric on the dashboard is one that docs/metrics.md has, with the labels it has there', () => {
  assert.ok(documented.size > 30 && expressions.length > 50);
  for (const { title, expr } of expressions) {
    const names = metricsIn(expr);
    for (const name of names) assert.ok(documented.has(name), `${title}: ${name} is no metric`);
    if (names.length === 0) continue;
    const labels = new Set(['job', 'instance', 'le', ...names.flatMap((name) => documented.get(name) ?? [])]);
    const asked = [
      ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
      ...[...expr.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, label = '']) => label),
    ];
    for (const label of asked) assert.ok(labels.has(label), `${title}: ${names.join(', ')} has no label ${label}`);
  }
});

test('every expression looks at the gateways that were chosen, and at no others', () => {
  for (const { title, expr } of expressions.filter((each) => !each.expr.includes('ALERTS'))) {
    const selectors = [...expr.matchAll(/\b(?:keygate|process|nodejs|up)\w*\{([^}]*)\}/g)];
    assert.ok(selectors.length > 0, title);
    for (const [selector, matchers = ''] of selectors) {
      assert.match(matchers, /^job=~"\$job", instance=~"\$instance"/, `${title}: ${selector}`);
    }
    assert.equal([...expr.matchAll(/\bkeygate_\w+/g)].length, [...expr.matchAll(/\bkeygate_\w+\{/g)].length, title);
  }
});

test('every panel says what to do, and the runbooks and pages that it names are there', () => {
  const runbooks = read('docs/operations.md').toLowerCase();
  for (const { title, description = '' } of panels) {
    assert.ok(description.length > 60, `${title} does not say enough`);
    for (const [, page = '', , anchor] of description.matchAll(/docs\/([\w-]+\.md)(#([\w-]+))?/g)) {
      const text = read(`docs/${page}`).toLowerCase();
      if (anchor !== undefined) assert.match(text, new RegExp(`^#+ ${anchor}$`, 'm'), `${title}: ${page}#${anchor}`);
    }
    for (const [alert] of description.matchAll(/\bKeygate[A-Z]\w+/g))
      assert.ok(runbooks.includes(`### ${alert.toLowerCase()}\n`), `${title}: ${alert}`);
  }
});

test('bands show their words, and not the threshold that Grafana would merge them by', () => {
  const bands = panels.filter(({ type }) => type === 'state-timeline');
  assert.ok(bands.length >= 4);
  for (const { title, fieldConfig } of bands) {
    const { color, mappings, thresholds } = fieldConfig?.defaults ?? {};
    assert.deepEqual([color?.mode, thresholds, mappings?.length], ['fixed', undefined, 1], title);
  }
});

test('panels stand side by side without covering each other, and know no data source by its uid', () => {
  const ids = [...GRAFANA_DASHBOARD.panels, ...panels].map(({ id }) => id);
  assert.equal(new Set(ids).size, new Set([...GRAFANA_DASHBOARD.panels, ...panels]).size);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x}, ${y}`), undefined, `${title} covers another panel`);
        taken.set(`${x}, ${y}`, title);
      }
    }
  }
  const sources = [...DASHBOARD_TEXT.matchAll(/"type": "prometheus",\s+"uid": "([^"]*)"/g)].map(([, uid]) => uid);
  assert.deepEqual([...new Set(sources)], ['${datasource}']);
});
