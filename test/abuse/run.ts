import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cleanups } from '../fuzz/target.ts';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { markdownTable, percentile, rssMb } from '../support/process-usage.ts';
import { attacks } from './attacks.ts';

/**
 * `npm run test:abuse [-- seconds [name]]`: a real gateway, an attacker of each kind, and a good client beside it. What the
 * attacker sent may hold ten times its size at most; 60 s after it has gone, the process is as large as before; and the good
 * client waits at most twice as long.
 */
const [seconds = '8', only] = process.argv.slice(2);
const ATTACK_MS = Number(seconds) * 1_000;
const SETTLE_MS = 60_000;
const MAX_FACTOR = 10;
/** The size of a process that does nothing wanders by so much. */
const NOISE_MB = 32;
const RSS_BACK = 1.1;
const P99_GROWTH = 2;
/** Below this, what is measured is the machine. */
const LEAST_P99_MS = 5;
const SAMPLE_MS = 20;

const cleanups = new Cleanups();
const collector = await startCollector(cleanups);
const keygate = await startKeygateProcess(cleanups, {
  plane: 'wire',
  upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
});
const session = await connectGrpc(cleanups, keygate.addresses.grpc);
const agent = new http.Agent({ keepAlive: true });
const headers = { 'x-api-key': keygate.key };
let failures = 0;

/** Sends good requests over both protocols until told otherwise; gives how long each took. */
async function measure(isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  while (!isOver()) {
    const startedAt = performance.now();
    const [grpc, web] = await Promise.all([
      callGrpc(session, { headers }),
      callHttp(`http://${keygate.addresses.http}`, { headers, agent }).catch(() => ({ status: 0 })),
    ]);
    times.push(performance.now() - startedAt);
    if (grpc.code !== 0 || web.status !== 200) failures += 1;
    (collector.arrivals as unknown[]).length = 0;
    await delay(SAMPLE_MS);
  }
  return times;
}

function within(ms: number): () => boolean {
  const endsAt = performance.now() + ms;
  return () => performance.now() >= endsAt;
}

interface Damage {
  readonly sentBytes: number;
  readonly connections: number;
  readonly ended: number;
  readonly longestLifeMs: number;
}

async function attackBy(name: string): Promise<Damage> {
  const port = (address: string): string => address.split(':').at(-1) ?? '';
  const { grpc, http } = keygate.addresses;
  // What the attacker takes of the machine is not the gateway's doing.
  const attacker = spawn(
    'nice',
    [
      '-n',
      '19',
      process.execPath,
      fileURLToPath(new URL('attacker.ts', import.meta.url)),
      name,
      port(grpc),
      port(http),
      keygate.key,
      seconds,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  attacker.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(attacker, 'close');
  return JSON.parse(said) as Damage;
}

await measure(within(ATTACK_MS)); // as warm as it gets
const rows: string[][] = [];
const faults: string[] = [];
for (const name of Object.keys(attacks(keygate.key)).filter((each) => only === undefined || each.includes(only))) {
  const startMb = rssMb(keygate.pid);
  const before = await measure(within(ATTACK_MS));
  let peakMb = startMb;
  const watching = setInterval(() => (peakMb = Math.max(peakMb, rssMb(keygate.pid))), 50);
  let isDone = false;
  const attacking = attackBy(name).finally(() => (isDone = true));
  const during = await measure(() => isDone);
  clearInterval(watching);
  const damage = await attacking;
  const endedAt = performance.now();
  const after = await measure(within(ATTACK_MS / 2));
  while (rssMb(keygate.pid) > startMb * RSS_BACK + 1 && performance.now() - endedAt < SETTLE_MS)
    await measure(within(500));
  const backMs = performance.now() - endedAt;
  const endMb = rssMb(keygate.pid);
  const inFlight = await keygate.metric('keygate_requests_in_flight');

  const heldMb = peakMb - startMb;
  const sentMb = damage.sentBytes / (1 << 20);
  const p99 = [before, during, after].map((times) => percentile(times, 99));
  const allowed = Math.max(LEAST_P99_MS, (p99[0] ?? 0) * P99_GROWTH);
  if (heldMb > sentMb * MAX_FACTOR + NOISE_MB)
    faults.push(`${name}: ${sentMb.toFixed(1)} MB held ${heldMb.toFixed(0)} MB`);
  if (endMb > startMb * RSS_BACK + 1)
    faults.push(`${name}: ${startMb.toFixed(0)} MB before, ${endMb.toFixed(0)} MB after 60 s`);
  if ((p99[1] ?? 0) > allowed)
    faults.push(`${name}: the p99 of a good client rose from ${p99[0]?.toFixed(1)} to ${p99[1]?.toFixed(1)} ms`);
  if (inFlight > 0) faults.push(`${name}: ${inFlight} requests are in flight when all have gone`);
  rows.push([
    name,
    sentMb.toFixed(2),
    heldMb.toFixed(0),
    `${startMb.toFixed(0)} -> ${endMb.toFixed(0)}`,
    (backMs / 1_000).toFixed(0),
    `${damage.ended} of ${damage.connections}`,
    damage.ended === 0 ? '-' : (damage.longestLifeMs / 1_000).toFixed(1),
    p99.map((ms) => ms.toFixed(1)).join(' / '),
  ]);
  console.log(rows.at(-1)?.join(' | '));
}
if (failures > 0) faults.push(`${failures} good requests failed`);
console.log(
  `\n${markdownTable(['Attack', 'Sent, MB', 'Held, MB', 'RSS, MB', 'Back after, s', 'Connections ended', 'Longest lived, s', 'Good client, p99 ms before / during / after'], rows)}`,
);
for (const fault of faults) console.log(`FAULT: ${fault}`);
agent.destroy();
await cleanups.run();
process.exit(faults.length === 0 ? 0 : 1);
