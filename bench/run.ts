import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { measure } from './load.ts';
import type { Measurement } from './load.ts';
import { canPin, portOf, startChild, stopChildren } from './processes.ts';
import { SCENARIOS } from './scenarios.ts';

/**
 * `npm run bench [seconds per measurement] [rounds]`: each scenario straight to the collector and through the gateway, in
 * turns within one run, medians over the rounds. The gateway has one core for itself; the load and the collector share
 * the other. Read the ratios: the absolute numbers are those of this load generator on this machine.
 */
const durationMs = Number(process.argv[2] ?? 5) * 1_000;
const rounds = Number(process.argv[3] ?? 3);
const root = dirname(import.meta.dirname);
const GATEWAY_CORE = '0';
const LOAD_CORE = '1';

if (canPin) spawnSync('taskset', ['-p', '-c', LOAD_CORE, String(process.pid)]);
else process.stderr.write('taskset is missing or there is one core: nothing is pinned, and the numbers say little.\n');

const directory = await mkdtemp(join(tmpdir(), 'keygate-bench-'));
try {
  const sink = JSON.parse(await startChild(LOAD_CORE, join(root, 'bench/sink.ts'), [], (line) => line.startsWith('{')));
  const config = join(directory, 'keygate.json');
  await writeFile(
    config,
    JSON.stringify({
      listen: { grpc: { address: '127.0.0.1:0' }, http: { address: '127.0.0.1:0' } },
      admin: { address: '127.0.0.1:0' },
      ops: { address: '127.0.0.1:0' },
      upstream: { grpc: `http://127.0.0.1:${sink.grpc}`, http: `http://127.0.0.1:${sink.http}` },
      store: { sqlite: { path: join(directory, 'keygate.db') } },
      log: { format: 'json' },
    }),
  );
  const key = createKey(config);
  const main = join(root, 'src/main.ts');
  const serving = JSON.parse(
    await startChild(GATEWAY_CORE, main, ['serve', '--config', config], (line) => line.includes('address_grpc')),
  );
  const gateway = { grpc: portOf(serving.address_grpc), http: portOf(serving.address_http) };

  print(`| scenario | straight, req/s | through Keygate, req/s | ratio | p99 straight | p99 through |`);
  print(`|---|---|---|---|---|---|`);
  for (const scenario of SCENARIOS) {
    const straight: Measurement[] = [];
    const through: Measurement[] = [];
    await measure(scenario, { port: gateway[scenario.protocol], key }, Math.min(durationMs, 2_000)); // warms up
    for (let round = 0; round < rounds; round++) {
      straight.push(await measure(scenario, { port: sink[scenario.protocol], key }, durationMs));
      through.push(await measure(scenario, { port: gateway[scenario.protocol], key }, durationMs));
    }
    const a = medianOf(straight);
    const b = medianOf(through);
    const ratio = (b.requestsPerSecond / a.requestsPerSecond).toFixed(2);
    print(
      `| ${scenario.name} | ${a.requestsPerSecond.toFixed(0)} | ${b.requestsPerSecond.toFixed(0)} | ${ratio} | ${a.p99Ms.toFixed(1)} ms | ${b.p99Ms.toFixed(1)} ms |`,
    );
  }
} finally {
  await stopChildren();
  await rm(directory, { recursive: true, force: true });
}

function createKey(config: string): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [join(root, 'src/main.ts'), 'ingestion-api-key', 'create', '--name', 'bench', '--config', config, '-o', 'json'],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`no key could be made: ${stderr}`);
  return JSON.parse(stdout)['ingestion-api-key'].apiKey;
}

function medianOf(measurements: readonly Measurement[]): Measurement {
  const median = (read: (measurement: Measurement) => number): number => {
    const sorted = measurements.map(read).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  return {
    requestsPerSecond: median((each) => each.requestsPerSecond),
    p50Ms: median((each) => each.p50Ms),
    p99Ms: median((each) => each.p99Ms),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
