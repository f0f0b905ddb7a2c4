import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { goProgram } from '../conformance/toolchain.ts';

/**
 * `npm run test:k8s`: kustomize builds what is in config/k8s, and each object is strictly what Kubernetes and the Prometheus operator
 * publish as its type. `-- --write` writes the operator's form of the alert rules first.
 */
const ROOT = join(import.meta.dirname, '../..');
const K8S = join(ROOT, 'config/k8s');
const RULES = join(K8S, 'monitoring/rules.yaml');

interface K8sObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>;
    readonly ports?: readonly { readonly name: string; readonly targetPort: string }[];
    readonly endpoints?: readonly { readonly port: string }[];
    readonly groups?: unknown;
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly { readonly ports: readonly { readonly name: string }[] }[] };
    };
  };
}

const { groups } = parse(readFileSync(join(ROOT, 'config/prometheus/keygate.rules.yaml'), 'utf8')) as {
  groups: unknown;
};
if (process.argv.includes('--write')) {
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'keygate' },
    spec: { groups },
  };
  const about =
    '# config/prometheus/keygate.rules.yaml for the Prometheus operator; written by `npm run test:k8s -- --write`.\n';
  writeFileSync(RULES, about + stringify(rule, { lineWidth: 0 }));
}

const kustomize = goProgram({ folder: '../k8s/kustomize', package: 'sigs.k8s.io/kustomize/kustomize/v5' });
const validate = goProgram({ folder: '../k8s/validate', package: 'keygate/test/k8s/validate' });

function run(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, timeout: 60_000 });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const build = (name: string): string => run(kustomize, ['build', join(K8S, name)]);
const objectsOf = (text: string): K8sObject[] => parseAllDocuments(text).map((each) => each.toJS() as K8sObject);

function find(objects: readonly K8sObject[], kind: string, name: string): K8sObject {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  assert.ok(found, `there is no ${kind} ${name}`);
  return found;
}

const BASE = [
  'apps/v1 Deployment keygate',
  'autoscaling/v2 HorizontalPodAutoscaler keygate',
  'networking.k8s.io/v1 NetworkPolicy keygate',
  'policy/v1 PodDisruptionBudget keygate',
  'v1 ConfigMap keygate',
  'v1 Service keygate',
  'v1 Service keygate-metrics',
  'v1 ServiceAccount keygate',
];
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  base: BASE,
  'with-redis': [...BASE, 'apps/v1 StatefulSet keygate-redis', 'v1 Service keygate-redis'],
  monitoring: [
    'monitoring.coreos.com/v1 PrometheusRule keygate',
    'monitoring.coreos.com/v1 ServiceMonitor keygate',
    'v1 ConfigMap keygate-dashboard',
  ],
};

function writeConfig(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-k8s-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'keygate.yaml');
  writeFileSync(file, text);
  return file;
}

describe('config/k8s', () => {
  for (const [name, expected] of Object.entries(EXPECTED)) {
    it(`${name} has exactly these objects, each strictly of its published type`, () => {
      const lines = run(validate, [], build(name)).trim().split('\n');
      // The name of a generated ConfigMap ends in a hash of what is in it.
      const names = lines.map((line) => line.replace(/^(v1 ConfigMap keygate)-[a-z0-9]{10}$/, '$1'));
      assert.deepEqual(names.toSorted(), expected.toSorted());
    });
  }

  it('is refused by the same check when a field is mistyped', () => {
    const { status, stderr } = spawnSync(validate, {
      input: build('base').replace('maxUnavailable', 'maxUnavailabel'),
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(stderr, /unknown field "[a-zA-Z.]*maxUnavailabel"/);
  });

  it('has a configuration that Keygate takes', (t) => {
    const config = objectsOf(build('base')).find(({ kind }) => kind === 'ConfigMap')?.data?.['keygate.yaml'] ?? '';
    run(join(ROOT, 'bin/keygate'), ['check-config', '--config', writeConfig(t, config)]);
  });

  it('has Services that lead to its pods, and a ServiceMonitor that finds their metrics', () => {
    const objects = objectsOf(build('base'));
    const pod = find(objects, 'Deployment', 'keygate').spec?.template;
    const ports = new Set(pod?.spec.containers.flatMap((each) => each.ports.map((port) => port.name)));
    for (const name of ['keygate', 'keygate-metrics']) {
      const { spec } = find(objects, 'Service', name);
      assert.deepEqual({ ...pod?.metadata.labels, ...spec?.selector }, pod?.metadata.labels);
      assert.ok(spec?.ports?.every(({ targetPort }) => ports.has(targetPort)));
    }
    const monitor = find(objectsOf(build('monitoring')), 'ServiceMonitor', 'keygate').spec;
    const monitored = find(objects, 'Service', 'keygate-metrics');
    assert.deepEqual({ ...monitored.metadata.labels, ...monitor?.selector?.matchLabels }, monitored.metadata.labels);
    assert.equal(monitor?.endpoints?.[0]?.port, monitored.spec?.ports?.[0]?.name);
  });

  it('has the dashboard as it is in config/grafana, where Grafana looks for it', () => {
    const map = find(objectsOf(build('monitoring')), 'ConfigMap', 'keygate-dashboard');
    assert.deepEqual(map.metadata.labels, { grafana_dashboard: '1' });
    assert.deepEqual(map.data, { 'keygate.json': readFileSync(join(ROOT, 'config/grafana/keygate.json'), 'utf8') });
  });

  it('has the alert rules as they are in config/prometheus', () => {
    const rule = find(objectsOf(build('monitoring')), 'PrometheusRule', 'keygate');
    assert.deepEqual(rule.spec?.groups, groups, 'npm run test:k8s -- --write');
  });
});
