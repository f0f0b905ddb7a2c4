import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianProgram } from '../conformance/toolchain.ts';
import { Cleanups } from '../fuzz/target.ts';
import { watchDashboard } from './dashboard.ts';
import { openStage } from './gateways.ts';
import { inSeconds, startPrometheus } from './prometheus.ts';
import { openRunbooks } from './runbooks.ts';
import {
  onOtherGateway,
  openSecureGateway,
  withKeys,
  withSenderThatWorked,
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
const QUIET_MS = 5_000;

const prometheusProgram = debianProgram('prometheus');
const promtool = debianProgram('promtool', 'prometheus');
// The runbooks use them.
for (const program of ['curl', 'jq', 'openssl']) debianProgram(program);

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
  const [stage, secure] = [await openStage(scope), await openSecureGateway(scope)];
  // They have a store each, and positions of two feeds cannot be compared.
  const jobs = { keygate: [stage.keygate.addresses.ops], 'keygate-tls': [secure.ops] };
  const prometheus = await startPrometheus(scope, {
    program: prometheusProgram,
    rules: inSeconds(readFileSync(RULES, 'utf8')),
    jobs,
  });
  const watch = createWatch(prometheus);
  const dashboard = watchDashboard(prometheus, Object.keys(jobs));
  const runbooks = openRunbooks(scope, stage, await stage.createToken(), secure.certificate);
  const good = await stage.createKey('good');
  const sender = await stage.send(() => good.key, 20);
  await watch.quietFor(QUIET_MS);
  await Promise.all([
    withSenderThatWorked(stage, watch, runbooks),
    onOtherGateway(secure, watch, runbooks, prometheus, dashboard),
    (async () => {
      await withKeys(stage, watch, runbooks);
      await withUpstream(stage, watch, runbooks);
      await withStore(stage, watch, runbooks);
    })(),
  ]);
  await watch.quietFor(QUIET_MS);
  await sender.stop();
  // What no situation was made for is at least run.
  for (const section of runbooks.left()) await runbooks.follow(section, { id: good.id });
  const { asked, faults } = await dashboard.stop();
  assert.deepEqual(faults, [], 'the dashboard shows nothing there');
  console.log(`the dashboard: each of its ${asked} expressions had data`);
  console.log(`all held: ${watch.seen().length} alerts fired and cleared: ${watch.seen().join(', ')}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await scope.run();
}
