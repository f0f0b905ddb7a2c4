import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificate } from '../test/support/tls.ts';
import { startKnownKeys } from './known-keys.ts';
import { load } from './load.ts';
import { describeMachine } from './machine.ts';
import { throughputOf, WARM_UP_SECONDS } from './measure.ts';
import type { Throughput } from './measure.ts';
import { startKeygate } from './peers.ts';
import type { Place } from './peers.ts';
import { canPin, LOAD_CORE, stopChildren } from './processes.ts';
import { table } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { startSink } from './start-sink.ts';
import { median } from './statistics.ts';

/**
 * `npm run bench:observing [-- rounds [part of a scenario's name]]`: what it costs that requests are counted, timed, attributed and
 * logged. Two gateways of the same code, one of which tells nothing of its requests, on the same core, in turn, the first to go
 * being another one each round. All that is compared is what both did in the same round.
 */
const [rounds = '15', wanted = '200 B'] = process.argv.slice(2);
const SECONDS = 2;
/** As bin/keygate starts it. */
const FLAGS = ['--disable-warning=DEP0060', '--max-semi-space-size=4', '--heap-growing-percent=20'];
/** What it may cost. */
const GOAL_PERCENT = 5;

if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
else process.stderr.write('taskset is missing or there is one core: nothing is pinned, and the numbers say little.\n');

const directory = await mkdtemp(join(tmpdir(), 'keygate-observing-'));
const cleanups: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })];
try {
  const keys = await startKnownKeys(1_000);
  cleanups.push(keys.close);
  const { certPath, keyPath } = await createCertificate({ after: (cleanup) => void cleanups.push(cleanup) });
  const start = { directory, keys, certificate: { certPath, keyPath, bundlePath: '' } };
  const place = { ...start, sink: await startSink(start) };
  const scenarios = SCENARIOS.filter(({ name, goals }) => goals !== undefined && name.includes(wanted));
  const rows = [];
  for (const scenario of scenarios) rows.push(await compare(scenario, place));
  const head = ['', 'requests/s without', 'with', 'cost', 'CPU µs each without', 'with', 'cost', 'others on that core'];
  print(table(head, rows));
  print(`\n${describeMachine()}`);
} finally {
  await stopChildren();
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

async function compare(scenario: Scenario, place: Omit<Place, 'keygate'>): Promise<string[]> {
  const script = join(import.meta.dirname, 'observed-gateway.ts');
  const lane = async (mode: 'on' | 'off') => {
    const running = await startKeygate('wire', { ...place, keygate: [process.execPath, ...FLAGS, script, mode] });
    const target = { port: running[scenario.protocol], key: place.keys.good.text };
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
