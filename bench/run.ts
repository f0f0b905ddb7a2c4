import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from './machine.ts';
import { measureScenario } from './measure.ts';
import { CACHED_KEYS, measureMemory, renderMemory } from './memory.ts';
import type { Memory } from './memory.ts';
import { installPackage } from './package.ts';
import { PEERS } from './peers.ts';
import type { Place } from './peers.ts';
import { prove } from './proof.ts';
import { renderGoals, renderScenario, writeInto } from './report.ts';
import type { Result } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { withSurroundings } from './surroundings.ts';

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

await withSurroundings('bench', KNOWN_KEYS, async (around) => {
  const place: Place = { ...around, keygate: [installPackage(around.directory)] };
  const results = [...(await measureAll(place, false)), ...(await measureAll(place, true))];
  const memory = await measureAllMemory(place);
  const tables = [renderGoals(results), ...results.map(renderScenario), ...memory, describeMachine()];
  for (const text of [renderGoals(results), ...memory, describeMachine()]) print(`\n${text}`);
  if (flags.write)
    await writeInto(page, 'npm run bench', [
      ...tables,
      `Written by \`npm run bench -- ${process.argv.slice(2).join(' ')}\`.`,
    ]);
});

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
    const { sink, keys, directory } = place;
    const measuring = { sink, running, key: keys.good.text, rounds, seconds, directory };
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
