import { load, pacedLoad } from './load.ts';
import type { Latencies, Target } from './load.ts';
import type { Place, RunningPeer } from './peers.ts';
import { busyMsOf, usageOf } from './proc.ts';
import { MEASURED_CORE } from './processes.ts';
import { LABELS } from './report.ts';
import type { Cell, Result, Row } from './report.ts';
import type { Scenario } from './scenarios.ts';
import { halfLoad, medians } from './statistics.ts';

export interface Measuring {
  readonly sink: Place['sink'];
  readonly running: readonly RunningPeer[];
  readonly key: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly directory: string;
}

/** Code that is compiled while it runs needs some thousand requests until it is what it will be. */
export const WARM_UP_SECONDS = 2;

export type Throughput = Omit<Cell, keyof Latencies>;

interface Lane {
  readonly row: Row;
  readonly target: Target;
  readonly pid: number | undefined;
}

/** Each server in turn, again and again: what disturbs the machine for a while disturbs all of them. */
export async function measureScenario(scenario: Scenario, measuring: Measuring): Promise<Result> {
  const { sink, running, key, rounds, seconds, directory } = measuring;
  const { protocol, connections } = scenario;
  const lanes: Lane[] = [
    { row: 'straight', target: { port: sink[protocol], key }, pid: undefined },
    ...running.map((peer) => ({
      row: peer.name,
      target: { port: peer[protocol], key, isTls: scenario.isTls ?? false },
      pid: peer.pid,
    })),
  ];
  for (const lane of lanes) {
    await told(lane, scenario, () => load(scenario, lane.target, { seconds: WARM_UP_SECONDS, directory }));
  }

  const throughputs = new Map<Row, Throughput[]>(lanes.map(({ row }) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    for (const lane of lanes) {
      const measured = await told(lane, scenario, () => throughputOf(scenario, lane, seconds, directory));
      throughputs.get(lane.row)?.push(measured);
    }
  }
  const fastest = new Map([...throughputs].map(([row, each]) => [row, medians(each)]));

  // Latency has goals where throughput has; the library plane is no rival in it: at its half load the others would sleep.
  const compared = scenario.goals === undefined ? [] : lanes.filter(({ row }) => row !== 'library');
  const speeds = compared.flatMap(({ row }) => fastest.get(row)?.perSecond ?? []);
  const pacePerSecond = halfLoad(speeds, connections);
  const latencies = new Map<Row, Latencies[]>(compared.map(({ row }) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    for (const lane of compared) {
      const pace = { seconds, directory, requestsPerSecond: pacePerSecond };
      latencies.get(lane.row)?.push(await told(lane, scenario, () => pacedLoad(scenario, lane.target, pace)));
    }
  }

  const cells: Partial<Record<Row, Cell>> = {};
  for (const { row } of lanes) {
    const throughput = fastest.get(row);
    const paced = latencies.get(row);
    if (throughput === undefined) continue;
    cells[row] = {
      ...throughput,
      ...(paced === undefined ? { p50Ms: Number.NaN, p99Ms: Number.NaN } : medians(paced)),
    };
  }
  return { scenario, pacePerSecond, cells };
}

export async function throughputOf(
  scenario: Scenario,
  { target, pid }: Omit<Lane, 'row'>,
  seconds: number,
  directory: string,
): Promise<Throughput> {
  const before = pid === undefined ? undefined : usageOf(pid);
  const busyBefore = busyMsOf(MEASURED_CORE);
  const startedAt = performance.now();
  const { requests, perSecond } = await load(scenario, target, { seconds, directory });
  const tookMs = performance.now() - startedAt;
  const busyMs = busyMsOf(MEASURED_CORE) - busyBefore;
  const after = pid === undefined ? undefined : usageOf(pid);
  const cpuMs = (after?.cpuMs ?? Number.NaN) - (before?.cpuMs ?? Number.NaN);
  return {
    perSecond,
    busyPercent: (100 * cpuMs) / tookMs,
    othersPercent: (100 * Math.max(0, busyMs - (pid === undefined ? 0 : cpuMs))) / tookMs,
    cpuMicros: (1_000 * cpuMs) / requests,
    rssMib: after?.rssMib ?? Number.NaN,
  };
}

/** A failure says whose it is. */
async function told<T>({ row }: Lane, { name }: Scenario, measure: () => Promise<T>): Promise<T> {
  try {
    return await measure();
  } catch (error) {
    throw new Error(`${LABELS[row]}, ${name}`, { cause: error });
  }
}
