import { spawnSync } from 'node:child_process';
import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCertificate } from '../test/support/tls.ts';
import { startKnownKeys } from './known-keys.ts';
import { describeMachine } from './machine.ts';
import { measureScenario } from './measure.ts';
import { CACHED_KEYS, measureMemory, renderMemory } from './memory.ts';
import type { Memory } from './memory.ts';
import { installPackage } from './package.ts';
import { PEERS } from './peers.ts';
import type { Place } from './peers.ts';
import { canPin, LOAD_CORE, stopChildren } from './processes.ts';
import { prove } from './proof.ts';
import { renderGoals, renderScenario, writeInto } from './report.ts';
import type { Result } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { startSink } from './start-sink.ts';

/**
 * `npm run bench [-- --quick] [--only <part of a scenario's name, or memory>] [--write]`: Keygate and its peers, each on one
 * core in front of a collector that costs nothing, the load and the collector on the other. Every server is first proven to
 * do its job; a single request that does not succeed fails the run. `--write` puts the tables into docs/benchmarks.md.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' }, write: { type: 'boolean' } },
});
const { rounds, seconds } = flags.quick ? { rounds: 3, seconds: 1 } : { rounds: 5, seconds: 2 };
const KNOWN_KEYS = 10_000;
const page = join(dirname(import.meta.dirname), 'docs/benchmarks.md');

if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
else process.stderr.write('taskset is missing or there is one core: nothing is pinned, and the numbers say little.\n');

const directory = await mkdtemp(join(tmpdir(), 'keygate-bench-'));
const cleanups: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })];
try {
  const place = await prepare();
  const results = [...(await measureAll(place, false)), ...(await measureAll(place, true))];
  const memory = await measureAllMemory(place);
  const tables = [renderGoals(results), ...results.map(renderScenario), ...memory, describeMachine()];
  for (const text of [renderGoals(results), ...memory, describeMachine()]) print(`\n${text}`);
  if (flags.write)
    await writeInto(page, [...tables, `Written by \`npm run bench -- ${process.argv.slice(2).join(' ')}\`.`]);
} finally {
  await stopChildren();
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

async function prepare(): Promise<Place> {
  const keygate = [installPackage(directory)] as const;
  const keys = await startKnownKeys(KNOWN_KEYS);
  cleanups.push(keys.close);
  const { certPath, keyPath } = await createCertificate({ after: (cleanup) => void cleanups.push(cleanup) });
  const bundlePath = join(directory, 'bundle.pem');
  const parts = await Promise.all([certPath, keyPath].map((file) => readFile(file, 'utf8')));
  await writeFile(bundlePath, parts.join('\n'), { mode: 0o600 });
  const place = { keygate, directory, keys, certificate: { certPath, keyPath, bundlePath } };
  return { ...place, sink: await startSink(place) };
}

/** The scenarios with TLS, or those without it; servers that are started for one are not there for the other. */
async function measureAll(place: Place, isTls: boolean): Promise<Result[]> {
  const scenarios = SCENARIOS.filter(
    ({ name, goals, isTls: withTls = false }) =>
      withTls === isTls && isWanted(name) && (!flags.quick || goals !== undefined),
  );
  if (scenarios.length === 0) return [];
  const running = [];
  for (const peer of PEERS) {
    await prove(peer, place, { isTls });
    print(`${peer.label}${isTls ? ', TLS' : ''}: does its job.`);
  }
  for (const peer of PEERS) running.push(await peer.start(place, { isTls }));
  const results: Result[] = [];
  for (const scenario of scenarios) {
    const measuring = { sink: place.sink, running, key: place.keys.good.text, rounds, seconds, directory };
    const result = await measureScenario(scenario, measuring);
    results.push(result);
    print(`\n${renderScenario(result)}`);
  }
  await Promise.all(running.map(({ stop }) => stop()));
  return results;
}

/** HAProxy has one key and nothing to remember, so it is measured where memory is not about keys. */
async function measureAllMemory(place: Place): Promise<string[]> {
  if (flags.quick || !isWanted('memory')) return [];
  const texts = await place.keys.add(CACHED_KEYS);
  const rows: Memory[] = [];
  for (const peer of PEERS.filter(({ name }) => name !== 'library')) {
    try {
      rows.push(await measureMemory(peer, place, peer.knowsKeys ? texts : []));
      print(`${peer.label}: memory measured.`);
    } catch (error) {
      throw new Error(`${peer.label}, memory`, { cause: error });
    }
  }
  return [renderMemory(rows)];
}

function isWanted(name: string): boolean {
  return name.includes(flags.only ?? '');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
