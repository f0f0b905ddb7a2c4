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
 * `npm run bench:observing [-- rounds [part of a scenario's name]]`: what it costs that requests are counted, timed, attributed and
 * logged. Two gateways of the same code, one of which tells nothing of its requests, on the same core, in turn, the first to go
 * being another one each round. All that is compared is what both did in the same round.
 */
const [rounds = '15', wanted = '200 B'] = process.argv.slice(2);
const SECONDS = 2;
/** What it may cost. */
const GOAL_PERCENT = 5;

await withSurroundings('observing', 1_000, async (around) => {
  const scenarios = SCENARIOS.filter(({ name, goals }) => goals !== undefined && name.includes(wanted));
  const rows = [];
  for (const scenario of scenarios) rows.push(await compare(scenario, around));
  const head = ['', 'requests/s without', 'with', 'cost', 'CPU µs each without', 'with', 'cost', 'others on that core'];
  print(table(head, rows));
  print(`\n${describeMachine()}`);
});

async function compare(scenario: Scenario, around: Surroundings): Promise<string[]> {
  const { directory, keys } = around;
  const script = join(import.meta.dirname, 'observed-gateway.ts');
  const lane = async (mode: 'on' | 'off') => {
    const keygate = [process.execPath, ...nodeOptions(), script, mode] as const;
    const running = await startKeygate('wire', { ...around, keygate });
    const target = { port: running[scenario.protocol], key: keys.good.text };
    await load(scenario, target, { seconds: WARM_UP_SECONDS, directory });
    const measured: Throughput[] = [];
    const measure = async () => {
      measured.push(await throughputOf(scenario, { target, pid: running.pid }, SECONDS, directory));
    };
    return { measured, measure, stop: running.stop };
  };
  const [off, on] = [await lane('off'), await lane('on')];
  for (let round = 0; round < Number(rounds); round++) {
    for (const each of round % 2 === 0 ? [off, on] : [on, off]) await each.measure();
  }
  await Promise.all([off.stop(), on.stop()]);

  const inRound = (ratio: (without: Throughput, withIt: Throughput) => number): number =>
    median(off.measured.map((without, i) => ratio(without, on.measured[i] ?? without)));
  const speed = 100 * inRound((without, withIt) => 1 - withIt.perSecond / without.perSecond);
  const cpu = 100 * inRound((without, withIt) => withIt.cpuMicros / without.cpuMicros - 1);
  const of = (lanes: typeof off, field: keyof Throughput) => median(lanes.measured.map((each) => each[field]));
  const others = median([...off.measured, ...on.measured].map(({ othersPercent }) => othersPercent));
  const percent = (value: number): string =>
    `${value.toFixed(1)} %, ${value < GOAL_PERCENT ? 'goal met' : 'goal missed'}`;
  const row = [
    scenario.name,
    Math.round(of(off, 'perSecond')).toLocaleString('en'),
    Math.round(of(on, 'perSecond')).toLocaleString('en'),
    percent(speed),
    of(off, 'cpuMicros').toFixed(1),
    of(on, 'cpuMicros').toFixed(1),
    percent(cpu),
    `${others.toFixed(0)} %`,
  ];
  print(row.join(' | '));
  return row;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
