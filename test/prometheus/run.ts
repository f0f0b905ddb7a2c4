import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { debianLibrary, debianProgram } from '../conformance/toolchain.ts';
import { Cleanups } from '../support/scope.ts';
import { watchDashboard } from './dashboard.ts';
import { openStage } from './gateways.ts';
import { onPair, openPair } from './pair.ts';
import { inSeconds, startPrometheus } from './prometheus.ts';
import { openRunbooks } from './runbooks.ts';
import { onSecureGateway, openSecureGateway, withTooManyConnections } from './secure-gateway.ts';
import {
  withKeys,
  withoutDiscovery,
  withSenderThatWorked,
  withSnapshot,
  withStore,
  withUpstream,
} from './situations.ts';
import { createWatch } from './watch.ts';

/**
 * `npm run test:prometheus`: the rules are what promtool takes, each alert fires and clears on made-up numbers, and then on the
 * numbers of a real gateway that a real Prometheus scrapes, while real clients and servers bring it into each situation. While an alert
 * fires, what docs/operations.md says to do is done, to the letter; and all that the Grafana dashboard asks is asked of the same Prometheus.
 */
const CONFIG = join(import.meta.dirname, '../../config/prometheus');
const RULES = join(CONFIG, 'keygate.rules.yaml');
const rules = readFileSync(RULES, 'utf8');
const QUIET_MS = 5_000;

const prometheusProgram = debianProgram('prometheus');
const promtool = debianProgram('promtool', 'prometheus');
// The runbooks use them.
for (const program of ['curl', 'jq', 'openssl']) debianProgram(program);
// A name with two addresses, without touching this machine's hosts or asking a DNS server.
const namesLibrary = debianLibrary('libnss_wrapper.so', 'libnss-wrapper');

function check(...args: string[]): void {
  console.log(`promtool ${args.slice(0, 2).join(' ')}`);
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8', timeout: 120_000 });
  if (status === 0) return;
  console.error(stdout, stderr);
  process.exit(1);
}

check('check', 'rules', RULES);
check('test', 'rules', join(CONFIG, 'keygate.rules.test.yaml'));

const scope = new Cleanups();
try {
  const stage = await openStage(scope);
  const secure = await openSecureGateway(scope);
  const pair = await openPair(scope, namesLibrary);
  // Each has a store of its own, and positions of two feeds cannot be compared.
  const jobs = {
    keygate: [stage.keygate.addresses.ops],
    'keygate-tls': [secure.ops],
    [pair.job]: [pair.near, pair.far].map(({ keygate }) => keygate.addresses.ops),
  };
  const prometheus = await startPrometheus(scope, { program: prometheusProgram, rules: inSeconds(rules), jobs });
  const watch = createWatch(prometheus);
  const dashboard = watchDashboard(prometheus, Object.keys(jobs));
  const runbooks = openRunbooks(scope, {
    scene: { keygate: stage.keygate, redis: stage.redis, token: await stage.createToken() },
    prometheusUrl: prometheus.url,
    certificate: secure.certificate,
  });
  const good = await stage.createKey('good');
  const sender = await stage.send(() => good.key, 20);
  await watch.quietFor(QUIET_MS);
  await Promise.all([
    withSenderThatWorked(stage, watch, runbooks),
    withSnapshot(stage, watch, runbooks),
    (async () => {
      await onSecureGateway(secure, watch, runbooks, prometheus, dashboard);
      await withTooManyConnections(scope, secure, watch, runbooks);
    })(),
    onPair(pair, watch, runbooks),
    (async () => {
      await withKeys(scope, stage, watch, runbooks);
      await withUpstream(stage, watch, runbooks);
      await withStore(stage, watch, runbooks);
    })(),
  ]);
  await watch.quietFor(QUIET_MS);
  const { asked, faults } = await dashboard.stop();
  await withoutDiscovery(prometheus, watch, runbooks);
  await sender.stop();
  const { groups } = parse(rules) as { groups: readonly { rules: readonly { alert?: string }[] }[] };
  const alerts = groups.flatMap((group) => group.rules).flatMap(({ alert }) => alert ?? []);
  assert.deepEqual(
    watch.seen().toSorted(),
    alerts.toSorted(),
    'an alert has no situation that makes it fire and clear',
  );
  assert.deepEqual(runbooks.left(), [], 'a section of docs/operations.md has a command that nobody has run');
  assert.deepEqual(faults, [], 'the dashboard shows nothing there');
  console.log(`the dashboard: each of its ${asked} expressions had data`);
  console.log(`all held: ${watch.seen().length} alerts fired and cleared: ${watch.seen().join(', ')}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await scope.run();
}
process.exit(); // once one has failed, nobody waits for the other situations
