import { join } from 'node:path';
import { load } from './load.ts';
import { describeMachine } from './machine.ts';
import { throughputOf, WARM_UP_SECONDS } from './measure.ts';
import type { Throughput } from './measure.ts';
import { nodeOptions } from './package.ts';
import { startKeygate } from './peers.ts';
import { table } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { median } from './statistics.ts';
import { withSurroundings } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * `npm run bench:observing [-- pairs [part of a scenario's name]]`: what it costs that requests are counted, timed, attributed and
 * logged. Two gateways of the same code, one of which tells nothing of its requests, on the same core, in turn, the first to go
 * being another one each round. All that is compared is what both did in the same round. Two processes of the same code differ by
 * as much as a tenth, for as long as they live: so the answer is the median over pairs that are started anew.
 */
const [pairs = '7', wanted = '200 B'] = process.argv.slice(2);
const ROUNDS = 3;
const SECONDS = 2;
/** What it may cost. */
const GOAL_PERCENT = 5;

/** What both of a pair did in the same round. */
interface Round {
  readonly off: Throughput;
  readonly on: Throughput;
}

/** In percent of what it is without. */
const COSTS = {
  perSecond: ({ off, on }: Round) => 100 * (1 - on.perSecond / off.perSecond),
  cpuMicros: ({ off, on }: Round) => 100 * (on.cpuMicros / off.cpuMicros - 1),
};

await withSurroundings('observing', 1_000, async (around) => {
  const scenarios = SCENARIOS.filter(({ name, goals }) => goals !== undefined && name.includes(wanted));
  const rows = [];
  for (const scenario of scenarios) rows.push(await compare(scenario, around));
  const head = ['', 'requests/s without', 'with', 'cost', 'CPU µs each without', 'with', 'cost', 'others on that core'];
  print(table(head, rows));
  print(`\n${describeMachine()}`);
});

async function compare(scenario: Scenario, around: Surroundings): Promise<string[]> {
  const measured: Round[][] = [];
  while (measured.length < Number(pairs)) measured.push(await pairOf(scenario, around));
  const all = measured.flat();
  const of = (mode: keyof Round, field: keyof Throughput) => median(all.map((round) => round[mode][field]));
  const cost = (field: keyof typeof COSTS) => median(measured.map((rounds) => median(rounds.map(COSTS[field]))));
  const others = median(all.flatMap(({ off, on }) => [off.othersPercent, on.othersPercent]));
  const percent = (value: number): string =>
    `${value.toFixed(1)} %, ${value < GOAL_PERCENT ? 'goal met' : 'goal missed'}`;
  const row = [
    scenario.name,
    Math.round(of('off', 'perSecond')).toLocaleString('en'),
    Math.round(of('on', 'perSecond')).toLocaleString('en'),
    percent(cost('perSecond')),
    of('off', 'cpuMicros').toFixed(1),
    of('on', 'cpuMicros').toFixed(1),
    percent(cost('cpuMicros')),
    `${others.toFixed(0)} %`,
  ];
  print(row.join(' | '));
  return row;
}

async function pairOf(scenario: Scenario, around: Surroundings): Promise<Round[]> {
  const [off, on] = [await startLane('off', scenario, around), await startLane('on', scenario, around)];
  const rounds: Round[] = [];
  while (rounds.length < ROUNDS) {
    if (rounds.length % 2 === 0) rounds.push({ off: await off.measure(), on: await on.measure() });
    else {
      const first = await on.measure();
      rounds.push({ off: await off.measure(), on: first });
    }
  }
  await Promise.all([off.stop(), on.stop()]);
  return rounds;
}

async function startLane(mode: keyof Round, scenario: Scenario, around: Surroundings) {
  const { directory, keys } = around;
  const keygate = [process.execPath, ...nodeOptions(), join(import.meta.dirname, 'observed-gateway.ts'), mode] as const;
  const running = await startKeygate('wire', { ...around, keygate });
  const target = { port: running[scenario.protocol], key: keys.good.text };
  await load(scenario, target, { seconds: WARM_UP_SECONDS, directory });
  const measure = () => throughputOf(scenario, { target, pid: running.pid }, SECONDS, directory);
  return { measure, stop: running.stop };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
