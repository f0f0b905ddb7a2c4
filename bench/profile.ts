import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { load } from './load.ts';
import { nodeOptions } from './package.ts';
import { startKeygate } from './peers.ts';
import { usageOf } from './proc.ts';
import { table } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { withSurroundings } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * `npm run bench:profile [-- part of a scenario's name [plane [seconds]]]`: where Keygate spends its time in each scenario,
 * as V8 samples it: the functions that are busiest themselves.
 */
const [wanted = '', plane = 'wire', seconds = '3'] = process.argv.slice(2);
const root = dirname(import.meta.dirname);
const TOP = 25;
const WARM_UP_SECONDS = 2;
/** Not work. */
const IDLE = '(idle)';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** In microseconds of the clock that `process.hrtime` reads. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

await withSurroundings('profile', 1_000, async (around) => {
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(wanted))) await profile(scenario, around);
});

async function profile(scenario: Scenario, around: Surroundings): Promise<void> {
  const { directory, keys } = around;
  const profiles = await mkdtemp(join(directory, 'cpu-'));
  const isTls = scenario.isTls ?? false;
  // From the sources, whose names and lines people know.
  const profiled = [...nodeOptions(), '--cpu-prof', `--cpu-prof-dir=${profiles}`, join(root, 'src/main.ts')];
  const keygate = [process.execPath, ...profiled] as const;
  const running = await startKeygate(plane === 'wire' ? 'wire' : 'library', { ...around, keygate }, { isTls });
  const target = { port: running[scenario.protocol], key: keys.good.text, isTls };
  await load(scenario, target, { seconds: WARM_UP_SECONDS, directory });
  const from = Number(process.hrtime.bigint() / 1_000n);
  const before = usageOf(running.pid).cpuMs;
  const { requests, perSecond } = await load(scenario, target, { seconds: Number(seconds), directory });
  const cpuMs = usageOf(running.pid).cpuMs - before;
  const to = Number(process.hrtime.bigint() / 1_000n);
  await running.stop();
  const [file = ''] = await readdir(profiles);
  const rows = hottest(JSON.parse(await readFile(join(profiles, file), 'utf8')) as Profile, from, to);
  print(`\n${perSecond.toFixed(0)} requests/s, ${((1_000 * cpuMs) / requests).toFixed(1)} µs of CPU time each`);
  print(table([scenario.name, 'itself', 'where'], rows));
}

/** Samples are counted, not the time between them: that would hold against a function that the kernel gave its core away. */
function hottest({ nodes, startTime, samples, timeDeltas }: Profile, from: number, to: number): string[][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      [
        functionName || 'anonymous',
        url === '' ? '' : `${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`,
      ] as const,
    ]),
  );
  const spent = new Map<string, number>();
  let now = startTime;
  let counted = 0;
  for (const [i, id] of samples.entries()) {
    now += timeDeltas[i] ?? 0;
    const [name = '', where = ''] = names.get(id) ?? [];
    if (now < from || now > to || name === IDLE) continue;
    const key = `${name}\0${where}`;
    counted++;
    spent.set(key, (spent.get(key) ?? 0) + 1);
  }
  return [...spent]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([key, samples]) => {
      const [name = '', where = ''] = key.split('\0');
      return [name, `${((100 * samples) / counted).toFixed(1)} %`, where];
    });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
