import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const { limits, upstream } = configSchema.parse({});

function secondsOf(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  assert.ok(found !== undefined, `${pattern} is not there`);
  return Number(found);
}

for (const example of ['config/haproxy/haproxy.cfg', 'config/haproxy/haproxy-http.cfg']) {
  test(`${example} takes a gateway out before its ports close, and waits longer than the gateway does`, () => {
    const text = read(example);
    const checks = secondsOf(text, /\binter (\d+)s\b/) * secondsOf(text, /\bfall (\d+)\b/);
    assert.ok((checks + secondsOf(text, /^ +timeout check (\d+)s$/m)) * 1_000 < limits.drainDelay);
    assert.ok(secondsOf(text, /^ +timeout client (\d+)m$/m) * 60_000 > limits.idleTimeout);
    const server = /^ +timeout server (\d+)([sm])$/m.exec(text);
    assert.ok(server);
    const serverMs = Number(server[1]) * (server[2] === 's' ? 1_000 : 60_000);
    assert.ok(serverMs > (text.includes('mode http') ? upstream.timeout : limits.idleTimeout));
  });
}

test('a pod is given the time to delay, to drain and to close', () => {
  const { spec } = parse(read('config/k8s/base/deployment.yaml')) as {
    spec: { template: { spec: { terminationGracePeriodSeconds: number } } };
  };
  const graceMs = spec.template.spec.terminationGracePeriodSeconds * 1_000;
  assert.ok(graceMs > limits.drainDelay + limits.drainTimeout + 2_000);
});

test('docs/operations.md says the defaults as they are', () => {
  const page = read('docs/operations.md');
  assert.ok(page.includes(`\`limits.drainDelay\` (${limits.drainDelay / 1_000} s)`));
  assert.ok(page.includes(`\`limits.drainTimeout\` (${limits.drainTimeout / 1_000} s)`));
});
