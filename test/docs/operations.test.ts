import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: { readonly runbook: string };
}

const { groups } = parse(read('config/prometheus/keygate.rules.yaml')) as {
  groups: readonly { rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.flatMap(({ alert, annotations }) => (alert === undefined ? [] : [{ alert, annotations }]));
const page = read('docs/operations.md');

test('every alert has its section in docs/operations.md, where its runbook leads to, and no section is of none', () => {
  const sections = [...page.matchAll(/^### (Keygate\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    sections,
    alerts.map(({ alert }) => alert),
  );
  for (const { alert, annotations } of alerts)
    assert.equal(annotations?.runbook, `docs/operations.md#${alert.toLowerCase()}`);
});

test('each section says what it means, what to look at and what to do', () => {
  const [, sections = ''] = /^## The alerts$([\s\S]*?)^## /m.exec(page) ?? [];
  for (const text of sections.split(/^### /m).slice(1)) {
    const [name = ''] = text.split('\n');
    for (const part of [/\*\*What it means\.\*\*/, /\*\*What to look at/, /(?:\*\*What to do|and do)\.\*\*/])
      assert.match(text, part, name);
  }
});

test('every metric in the rules is one that docs/metrics.md has, and every recorded one is recorded', () => {
  const metrics = new Set([...read('docs/metrics.md').matchAll(/^\| `(keygate_\w+)`/gm)].map(([, name]) => name));
  const recorded = new Set(rules.map(({ record }) => record));
  for (const { expr } of rules) {
    for (const [name = ''] of expr.matchAll(/\bkeygate_\w+/g))
      assert.ok(metrics.has(name.replace(/_bucket$/, '')), `${name} is in a rule, and is no metric`);
    for (const [name = ''] of expr.matchAll(/\bkeygate:[\w:]+/g))
      assert.ok(recorded.has(name), `${name} is in a rule, and nothing records it`);
  }
});

test('every alert is tried by promtool, both that it fires and that it does not', () => {
  const { tests } = parse(read('config/prometheus/keygate.rules.test.yaml')) as {
    tests: readonly { alert_rule_test: readonly { alertname: string; exp_alerts: readonly unknown[] }[] }[];
  };
  const cases = tests.flatMap((each) => each.alert_rule_test);
  for (const { alert } of alerts) {
    const fires = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: all }) => all.length > 0);
    assert.deepEqual(
      [fires.includes(true), fires.at(-1)],
      [true, false],
      `${alert} must be seen to fire, and to clear`,
    );
  }
});

test('every alert is brought about with a real gateway, and ended, by npm run test:prometheus', () => {
  const folder = new URL('../prometheus/', import.meta.url);
  const text = readdirSync(folder)
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  for (const what of ['fires', 'clears']) {
    const named = new Set(
      [...text.matchAll(new RegExp(`\\bwatch\\.${what}\\('(\\w+)'`, 'g'))].map(([, name = '']) => name),
    );
    assert.deepEqual([...named].toSorted(), alerts.map(({ alert }) => alert).toSorted(), what);
  }
});

test('the rules for the Prometheus operator are the same ones', () => {
  const rule = parse(read('config/k8s/monitoring/rules.yaml')) as { spec: unknown };
  assert.deepEqual(rule.spec, { groups }, 'npm run test:k8s -- --write');
});
