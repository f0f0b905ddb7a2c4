import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { load } from './load.ts';
import { describeMachine } from './machine.ts';
import { WARM_UP_SECONDS } from './measure.ts';
import { installPackage } from './package.ts';
import { startKeygate } from './peers.ts';
import type { RunningPeer } from './peers.ts';
import { busyMsOf, connectionsOf, usageOfEach } from './proc.ts';
import type { ProcessUsage } from './proc.ts';
import { table, whole, writeInto } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { median, medians } from './statistics.ts';
import { withSurroundings } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * `npm run bench:workers [-- --write]`: what a gateway of several processes carries, and what it takes. One, two and as many workers
 * as there are cores, under the same load in turn; no gateway is bound to a core, the load is. Some two minutes. `--write` puts the
 * tables into docs/benchmarks.md.
 */
const { values: flags } = parseArgs({ options: { write: { type: 'boolean' } } });
const ROUNDS = 5;
const SECONDS = 3;
const CORES = availableParallelism();
/** `auto` comes to as many as there are cores. */
const WORKERS = [...new Set([1, 2, CORES])];
/** Until what was needed for a moment only has been given back. */
const SETTLE_MS = 2_000;
const PERCENT_FULL = 95;
const page = join(dirname(import.meta.dirname), 'docs/benchmarks.md');

/** A gateway, and what it held before it was sent anything. */
interface Lane {
  readonly workers: number;
  readonly running: RunningPeer;
  readonly started: Processes;
}

interface Processes {
  /** It hands out connections; a gateway of one process has none. */
  readonly office: ProcessUsage | undefined;
  readonly workers: readonly ProcessUsage[];
}

/** Of one round of load. */
interface Measured extends Readonly<Record<string, number>> {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly officeMicros: number;
  /** Of one core, the most and the least that any worker was busy. */
  readonly busiestPercent: number;
  readonly idlestPercent: number;
  /** Of all cores, for whatever ran. */
  readonly machinePercent: number;
  readonly mostConnections: number;
  readonly fewestConnections: number;
}

await withSurroundings('workers', 1_000, async (around) => {
  const keygate = [installPackage(around.directory)] as const;
  const lanes: Lane[] = [];
  for (const workers of WORKERS) {
    const running = await startKeygate('wire', { ...around, keygate }, { workers });
    await delay(SETTLE_MS);
    lanes.push({ workers, running, started: processesOf(running) });
  }
  const tables: string[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => /^gRPC 200 B.*(?:streams|x 1)$/.test(name))) {
    tables.push(await compare(scenario, lanes, around));
    print(`\n${tables.at(-1)}`);
  }
  await delay(SETTLE_MS);
  tables.push(renderMemory(lanes), describeMachine());
  for (const text of tables.slice(-2)) print(`\n${text}`);
  if (flags.write) await writeInto(page, 'npm run bench:workers', tables);
});

/** Each in turn, again and again: what disturbs the machine for a while disturbs all of them. */
async function compare(scenario: Scenario, lanes: readonly Lane[], around: Surroundings): Promise<string> {
  const rounds = lanes.map((): Measured[] => []);
  for (const lane of lanes) await load(scenario, targetOf(lane, around), { ...around, seconds: WARM_UP_SECONDS });
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, lane] of lanes.entries()) rounds[i]?.push(await measure(scenario, lane, around));
  }
  const head = [
    scenario.name,
    'requests/s',
    'CPU µs each',
    'of that the office',
    'each worker of a core',
    'all cores',
    'connections of each worker',
    'the limit was',
  ];
  return table(
    head,
    lanes.map(({ workers }, i) => rowOf(workers, medians(rounds[i] ?? []))),
  );
}

function targetOf({ running }: Lane, { keys }: Surroundings) {
  return { port: running.grpc, key: keys.good.text };
}

async function measure(scenario: Scenario, lane: Lane, around: Surroundings): Promise<Measured> {
  const { running } = lane;
  const [before, busyBefore, startedAt] = [processesOf(running), machineBusyMs(), performance.now()];
  const [{ requests, perSecond }, connections] = await Promise.all([
    load(scenario, targetOf(lane, around), { ...around, seconds: SECONDS }),
    delay((SECONDS * 1_000) / 2).then(() => before.workers.map(({ pid }) => connectionsOf(pid, running.grpc))),
  ]);
  const tookMs = performance.now() - startedAt;
  const [after, busyMs] = [processesOf(running), machineBusyMs() - busyBefore];
  const officeMs = (after.office?.cpuMs ?? 0) - (before.office?.cpuMs ?? 0);
  const workersMs = after.workers.map(({ cpuMs }, i) => cpuMs - (before.workers[i]?.cpuMs ?? 0));
  const allMs = workersMs.reduce((sum, each) => sum + each, officeMs);
  return {
    perSecond,
    cpuMicros: (1_000 * allMs) / requests,
    officeMicros: (1_000 * officeMs) / requests,
    busiestPercent: (100 * Math.max(...workersMs)) / tookMs,
    idlestPercent: (100 * Math.min(...workersMs)) / tookMs,
    machinePercent: (100 * busyMs) / tookMs / CORES,
    mostConnections: Math.max(...connections),
    fewestConnections: Math.min(...connections),
  };
}

function processesOf({ pid }: RunningPeer): Processes {
  const [first, ...others] = usageOfEach(pid);
  if (first === undefined) throw new Error('the gateway has ended');
  return others.length === 0 ? { office: undefined, workers: [first] } : { office: first, workers: others };
}

function machineBusyMs(): number {
  return Array.from({ length: CORES }, (_, core) => busyMsOf(String(core))).reduce((sum, each) => sum + each, 0);
}

function rowOf(workers: number, measured: Measured): string[] {
  const { perSecond, cpuMicros, officeMicros, busiestPercent, idlestPercent, machinePercent } = measured;
  const limit = limitOf(measured);
  return [
    nameOf(workers),
    `${limit === 'the workers' ? '' : '≥ '}${whole(perSecond)}`,
    cpuMicros.toFixed(1),
    workers === 1 ? '' : officeMicros.toFixed(2),
    `${range(idlestPercent, busiestPercent)} %`,
    `${whole(machinePercent)} %`,
    range(measured.fewestConnections, measured.mostConnections),
    limit,
  ];
}

/** Where it is not the workers, they can do more: on a machine with more cores, or under more load. */
function limitOf({ idlestPercent, machinePercent }: Measured): 'the machine' | 'the workers' | 'the load' {
  if (machinePercent >= PERCENT_FULL) return 'the machine';
  return idlestPercent >= PERCENT_FULL ? 'the workers' : 'the load';
}

/** Of several workers, the medians of all. */
function renderMemory(lanes: readonly Lane[]): string {
  const mib = (usages: readonly (ProcessUsage | undefined)[]): string[] => {
    const there = usages.filter((usage) => usage !== undefined);
    if (there.length === 0) return ['', ''];
    return [median(there.map(({ rssMib }) => rssMib)), median(there.map(({ ownMib }) => ownMib))].map(whole);
  };
  const rows = lanes.map(({ workers, running, started }) => {
    const now = processesOf(running);
    const cells = [[started.office], started.workers, [now.office], now.workers].map(mib);
    return [nameOf(workers), ...cells.map(([rss, own]) => (rss === '' ? '' : `${rss} (${own})`))];
  });
  const head = ['RSS (without files), MiB', 'office, started', 'each worker', 'office, after the load', 'each worker'];
  return table(head, rows);
}

function nameOf(workers: number): string {
  const name = workers === 1 ? 'one process' : `\`workers: ${workers}\``;
  return workers === CORES ? `${name} (auto)` : name;
}

function range(least: number, most: number): string {
  return whole(least) === whole(most) ? whole(most) : `${whole(least)} to ${whole(most)}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
