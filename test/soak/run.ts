import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { markdownTable, openHandles, percentile, rssMb } from '../support/process-usage.ts';
import { startRedisKeys } from '../support/redis-keys.ts';
import { Cleanups } from '../support/scope.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

/**
 * `npm run soak [-- seconds [requests a second]]`: a real gateway on Redis, and in 20 minutes as many requests as a site of 28
 * a second sends in a day, of every kind, good and bad, with keys that are rotated and a collector that goes away now and
 * then. What it holds and how long it takes must not grow. The load is made by Node's clients, which need a core for 2,000
 * requests a second; more of them than there are cores for measure the clients.
 */
const seconds = Number(process.argv[2] ?? 1_200);
const rate = Number(process.argv[3] ?? 2_000);
const SAMPLES = 20;
const sampleMs = (seconds * 1_000) / SAMPLES;
/** How often the collector goes away, and for how long; and how often keys are rotated. */
const OUTAGE_EVERY = 5;
const OUTAGE_MS = Math.min(5_000, sampleMs / 4);
/** Connections to the collector are found again, and what failed has been heard of. */
const RECOVERY_MS = 6_000;
const ROTATION_EVERY = 3;
const MAX_RSS_GROWTH = 1.1;
const MAX_P99_GROWTH = 1.5;
const HANDLES_NOISE = 20;

interface Tally {
  readonly sent: number;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  readonly excused: number;
  readonly underWay: number;
  readonly times: readonly number[];
  readonly reasons: readonly (readonly [string, number])[];
}

const cleanups = new Cleanups();
const { redis, keys } = await startRedisKeys(cleanups);
let collector: Collector = await startCollector(cleanups);
const upstream = { grpc: collector.grpcUrl, http: collector.httpUrl };
const ports = { grpc: Number(new URL(upstream.grpc).port), http: Number(new URL(upstream.http).port) };
const certificate = await createCertificate(cleanups);
const actor = { name: 'soak' };
let current = await keys.create({ kind: 'ingestion', name: 'soak-0' }, actor);
const address = '127.0.0.1:0';
const keygate = await startKeygateProcess(cleanups, {
  plane: 'wire',
  // One port for all that is cleartext: it finds out what is spoken.
  listen: { grpc: { address }, http: { address, tls: { cert: certificate.certPath, key: certificate.keyPath } } },
  upstream,
  store: { redis: { url: redis.url, commandTimeout: '1s' } },
});
const portOf = (text: string): string => text.split(':').at(-1) ?? '';
const plainPort = portOf(keygate.addresses.grpc);
const load = spawn(
  process.execPath,
  [fileURLToPath(new URL('load.ts', import.meta.url)), plainPort, plainPort, portOf(keygate.addresses.http)],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
cleanups.after(() => load.kill('SIGKILL'));
let tally: Tally = { sent: 0, ok: 0, refused: 0, failed: 0, excused: 0, underWay: 0, times: [], reasons: [] };
let times: number[] = [];
createInterface(load.stdout).on('line', (line) => {
  tally = JSON.parse(line) as Tally;
  times.push(...tally.times);
  (collector.arrivals as unknown[]).length = 0; // it keeps all that arrives
});
const loadEnded = new Promise((resolve) => load.once('close', resolve));
let order = { rate, key: current.text, mayFail: false, isLast: false };
function tell(change: Partial<typeof order>): void {
  order = { ...order, ...change };
  load.stdin.write(`${JSON.stringify(order)}\n`);
}

async function rotate(n: number): Promise<void> {
  const old = current;
  current = await keys.create({ kind: 'ingestion', name: `soak-${n}` }, actor);
  tell({ key: current.text });
  await delay(1_500); // what was sent with the old one is through
  await keys.revoke('ingestion', old.record.id, actor, { force: true });
}

async function takeCollectorAway(): Promise<void> {
  tell({ mayFail: true });
  await delay(200);
  await collector.close();
  await delay(OUTAGE_MS);
  collector = await startCollector(cleanups, { ports });
  await delay(RECOVERY_MS);
  tell({ mayFail: false });
}

interface Sample {
  readonly sent: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly handles: number;
  readonly inFlight: number;
  readonly p50: number;
  readonly p99: number;
  readonly hadOutage: boolean;
}

const samples: Sample[] = [];
tell({});
for (let n = 1; n <= SAMPLES; n++) {
  const endsAt = performance.now() + sampleMs;
  const hadOutage = n % OUTAGE_EVERY === 0 && n < SAMPLES;
  const before = tally.sent;
  times = [];
  if (hadOutage) await takeCollectorAway();
  else if (n % ROTATION_EVERY === 0) await rotate(n);
  await delay(Math.max(0, endsAt - performance.now()));
  const sample = {
    sent: tally.sent - before,
    rssMb: rssMb(keygate.pid),
    heapMb: (await keygate.metric('nodejs_heap_size_used_bytes')) / (1 << 20),
    handles: openHandles(keygate.pid),
    inFlight: await keygate.metric('keygate_requests_in_flight'),
    p50: percentile(times, 50),
    p99: percentile(times, 99),
    hadOutage,
  };
  samples.push(sample);
  console.log(rowOf(sample, n).join(' | '));
}
tell({ rate: 0, isLast: true });
load.stdin.end();
await Promise.race([loadEnded, delay(30_000)]);
await until(
  'nothing is in flight',
  async () => (await keygate.metric('keygate_requests_in_flight')) === 0,
  15_000,
).catch(() => {});
const inFlight = await keygate.metric('keygate_requests_in_flight');

function rowOf(sample: Sample, n: number): string[] {
  const { sent, rssMb, heapMb, handles, inFlight, p50, p99, hadOutage } = sample;
  const minute = ((n * sampleMs) / 60_000).toFixed(1);
  return [
    minute,
    String(sent),
    rssMb.toFixed(0),
    heapMb.toFixed(0),
    String(handles),
    String(inFlight),
    p50.toFixed(1),
    p99.toFixed(1),
    hadOutage ? 'collector away' : '',
  ];
}

/** The mean of a quarter of the run, 1 to 4, without the times in which the collector was away. */
function quarter(which: number, value: (sample: Sample) => number): number {
  const size = SAMPLES / 4;
  const some = samples.slice((which - 1) * size, which * size).filter(({ hadOutage }) => !hadOutage);
  return some.reduce((sum, sample) => sum + value(sample), 0) / some.length;
}

const faults: string[] = [];
const grows = (what: string, value: (sample: Sample) => number, factor: number, noise: number): void => {
  const [second, last] = [quarter(2, value), quarter(4, value)];
  if (last > second * factor + noise) faults.push(`${what} grew from ${second.toFixed(1)} to ${last.toFixed(1)}`);
};
grows('RSS (MB)', (sample) => sample.rssMb, MAX_RSS_GROWTH, 0);
grows('open handles', (sample) => sample.handles, 1, HANDLES_NOISE);
grows('p99 (ms)', (sample) => sample.p99, MAX_P99_GROWTH, 2);
if (tally.failed > 0) faults.push(`${tally.failed} requests failed: ${JSON.stringify(tally.reasons)}`);
if (inFlight !== 0) faults.push(`${inFlight} requests are in flight at the end`);

const columns = ['Minute', 'Requests', 'RSS, MB', 'Heap, MB', 'Handles', 'In flight', 'p50, ms', 'p99, ms', ''];
console.log(
  `\n${markdownTable(
    columns,
    samples.map((sample, i) => rowOf(sample, i + 1)),
  )}`,
);
console.log(
  `\n${tally.sent} requests: ${tally.ok} accepted, ${tally.refused} refused as they should be, ${tally.excused} failed while the collector was away, ${tally.failed} at other times.`,
);
for (const fault of faults) console.log(`FAULT: ${fault}`);
await cleanups.run();
process.exit(faults.length === 0 ? 0 : 1);
