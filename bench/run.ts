import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCertificate } from '../test/support/tls.ts';
import { startKnownKeys } from './known-keys.ts';
import { describeMachine } from './machine.ts';
import { measureScenario } from './measure.ts';
import { PEERS } from './peers.ts';
import type { Place } from './peers.ts';
import { canPin, LOAD_CORE, stopChildren } from './processes.ts';
import { prove } from './proof.ts';
import { renderGoals, renderScenario, writeInto } from './report.ts';
import type { Result } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { startSink } from './start-sink.ts';

/**
 * `npm run bench [-- --quick] [--only <part of a scenario's name>] [--write]`: Keygate and its peers, each on one core in
 * front of a collector that costs nothing, the load and the collector on the other. Every server is first proven to do its
 * job; a single request that does not succeed fails the run. `--write` puts the tables into docs/benchmarks.md.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' }, write: { type: 'boolean' } },
});
const { rounds, seconds } = flags.quick ? { rounds: 2, seconds: 1 } : { rounds: 5, seconds: 2 };
const KNOWN_KEYS = 10_000;
const page = join(dirname(import.meta.dirname), 'docs/benchmarks.md');

if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
else process.stderr.write('taskset is missing or there is one core: nothing is pinned, and the numbers say little.\n');

const directory = await mkdtemp(join(tmpdir(), 'keygate-bench-'));
const cleanups: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })];
try {
  const keys = await startKnownKeys(KNOWN_KEYS);
  cleanups.push(keys.close);
  const { certPath, keyPath } = await createCertificate({ after: (cleanup) => void cleanups.push(cleanup) });
  const bundlePath = join(directory, 'bundle.pem');
  await writeFile(bundlePath, `${readFileSync(certPath, 'utf8')}\n${readFileSync(keyPath, 'utf8')}`, { mode: 0o600 });
  const place: Omit<Place, 'sink'> = { directory, keys, certificate: { certPath, keyPath, bundlePath } };
  const sink = await startSink(place);

  for (const { label, missing } of PEERS) if (missing !== undefined) print(`${label}: ${missing}.\n`);
  const peers = PEERS.filter((peer) => peer.missing === undefined);
  for (const peer of peers) {
    await prove(peer, { ...place, sink });
    print(`${peer.label}: does its job.`);
  }
  const running = await Promise.all(peers.map((peer) => peer.start({ ...place, sink })));

  const results: Result[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(flags.only ?? ''))) {
    const result = await measureScenario(scenario, { sink, running, key: keys.good.text, rounds, seconds, directory });
    results.push(result);
    print(`\n${renderScenario(result)}`);
  }
  const plane = running.some(({ name }) => name === 'wire') ? 'wire' : 'library';
  const goals = renderGoals(results, plane);
  print(`\n${goals}\n\n${describeMachine()}`);
  if (flags.write) {
    const command = `npm run bench${flags.quick ? ' -- --quick' : ''}`;
    const tables = [goals, ...results.map(renderScenario), describeMachine(), `To repeat it: \`${command}\``];
    await writeInto(page, tables.join('\n\n'));
  }
} finally {
  await stopChildren();
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
