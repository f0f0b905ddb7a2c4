import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { busyMsOf, usageOf } from '../../bench/proc.ts';
import { canPin, LOAD_CORE, MEASURED_CORE, startScript } from '../../bench/processes.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import type { GrpcAnswer } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { markdownTable, percentile, rssMb } from '../support/process-usage.ts';
import { Cleanups } from '../support/scope.ts';
import { attacks } from './attacks.ts';

/**
 * `npm run test:abuse [-- seconds [name]]`: a real gateway, an attacker of each kind, and a good client beside it. What the
 * attacker sent may hold ten times its size at most; 60 s after it has gone, the process is as large as before; and the good
 * client waits at most twice as long.
 *
 * The gateway has a core for itself. Attacker, collector and good client share another one, and so wait for each other: what the
 * client waits for when it asks the collector itself says how much of that is the machine's doing. Where others work on the
 * gateway's core, nothing is said of how long the client waits.
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
/** Of its core, what others may have before the gateway seems slow because of them. */
const MAX_OTHERS_SHARE = 0.05;
/** So many failures of an attack are told one by one. */
const MAX_TOLD = 5;

const cleanups = new Cleanups();
pin(process.pid, LOAD_CORE);
const collector = startScript(undefined, fileURLToPath(new URL('collector.ts', import.meta.url)), []);
cleanups.after(collector.stop);
const upstream = JSON.parse(await collector.line((line) => line.startsWith('{'))) as { grpc: number; http: number };
const keygate = await startKeygateProcess(cleanups, {
  plane: 'wire',
  upstream: { grpc: `http://127.0.0.1:${upstream.grpc}`, http: `http://127.0.0.1:${upstream.http}` },
});
pin(keygate.pid, MEASURED_CORE);
const session = await connectGrpc(cleanups, keygate.addresses.grpc);
const agent = new http.Agent({ keepAlive: true });
const headers = { 'x-api-key': keygate.key };
/** Of the attack that is being looked at: what became of good requests that were not taken. */
let failures: string[] = [];

interface Times {
  /** What the good client waited for both its answers. */
  readonly good: number[];
  /** The same request to the collector itself, between its others. */
  readonly straight: number[];
}

/** Sends good requests over both protocols until told otherwise; `when` is for what is said of those that fail. */
async function measure(when: string, isOver: () => boolean): Promise<Times> {
  const times: Times = { good: [], straight: [] };
  while (!isOver()) {
    const startedAt = performance.now();
    const faultsOf = await Promise.all([
      callGrpc(session, { headers }).then(faultOfGrpc, String),
      callHttp(`http://${keygate.addresses.http}`, { headers, agent }).then(faultOfHttp, String),
    ]);
    const answeredAt = performance.now();
    times.good.push(answeredAt - startedAt);
    for (const fault of faultsOf) if (fault !== undefined) failures.push(`${when}: ${fault}`);
    await callHttp(`http://127.0.0.1:${upstream.http}`, { agent });
    times.straight.push(performance.now() - answeredAt);
    await delay(SAMPLE_MS);
  }
  return times;
}

function faultOfGrpc({ code, httpStatus, resetCode, message }: GrpcAnswer): string | undefined {
  return code === 0 ? undefined : `gRPC code ${code}, status ${httpStatus}, reset code ${resetCode}: ${message}`;
}

/** With what can be read of its body, in whichever encoding. */
function faultOfHttp({ status, body }: HttpAnswer): string | undefined {
  return status === 200 ? undefined : `HTTP status ${status}: ${body.toString('latin1').replaceAll(/[^ -~]+/g, ' ')}`;
}

/** How much of the gateway's core others have had since it was asked last; nobody knows where nothing is pinned. */
const othersShare = ((): (() => number) => {
  let last = { atMs: 0, othersMs: 0 };
  return () => {
    if (!canPin) return 0;
    const now = { atMs: performance.now(), othersMs: busyMsOf(MEASURED_CORE) - usageOf(keygate.pid).cpuMs };
    const share = (now.othersMs - last.othersMs) / (now.atMs - last.atMs);
    last = now;
    return Math.max(0, share);
  };
})();

/** From the outside, so that it holds for all threads. */
function pin(pid: number, core: string): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', core, String(pid)]);
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

await measure('warming up', within(ATTACK_MS)); // as warm as it gets
const rows: string[][] = [];
const faults: string[] = [];
const doubts: string[] = [];
for (const name of Object.keys(attacks(keygate.key)).filter((each) => only === undefined || each.includes(only))) {
  const startMb = rssMb(keygate.pid);
  const before = await measure('before', within(ATTACK_MS));
  let peakMb = startMb;
  const watching = setInterval(() => (peakMb = Math.max(peakMb, rssMb(keygate.pid))), 50);
  let isDone = false;
  othersShare();
  const attacking = attackBy(name).finally(() => (isDone = true));
  const during = await measure('during', () => isDone);
  clearInterval(watching);
  const others = othersShare();
  const damage = await attacking;
  const endedAt = performance.now();
  const after = await measure('after', within(ATTACK_MS / 2));
  while (rssMb(keygate.pid) > startMb * RSS_BACK + 1 && performance.now() - endedAt < SETTLE_MS)
    await measure('after', within(500));
  const backMs = performance.now() - endedAt;
  const endMb = rssMb(keygate.pid);
  const inFlight = await keygate.metric('keygate_requests_in_flight');

  const heldMb = peakMb - startMb;
  const sentMb = damage.sentBytes / (1 << 20);
  const p99 = [before, during, after].map(({ good }) => percentile(good, 99));
  const straight = [before, during, after].map((times) => percentile(times.straight, 99));
  const machineMs = Math.max(0, (straight[1] ?? 0) - (straight[0] ?? 0));
  const allowed = Math.max(LEAST_P99_MS, (p99[0] ?? 0) * P99_GROWTH) + machineMs;
  if (heldMb > sentMb * MAX_FACTOR + NOISE_MB)
    faults.push(`${name}: ${sentMb.toFixed(1)} MB held ${heldMb.toFixed(0)} MB`);
  if (endMb > startMb * RSS_BACK + 1)
    faults.push(`${name}: ${startMb.toFixed(0)} MB before, ${endMb.toFixed(0)} MB after 60 s`);
  if ((p99[1] ?? 0) > allowed)
    (others > MAX_OTHERS_SHARE ? doubts : faults).push(
      `${name}: the p99 of a good client rose from ${p99[0]?.toFixed(1)} to ${p99[1]?.toFixed(1)} ms`,
    );
  for (const failure of failures.slice(0, MAX_TOLD)) faults.push(`${name}: a good request failed ${failure}`);
  if (failures.length > MAX_TOLD) faults.push(`${name}: ${failures.length} good requests failed in all`);
  failures = [];
  if (inFlight > 0) faults.push(`${name}: ${inFlight} requests are in flight when all have gone`);
  rows.push([
    name,
    sentMb.toFixed(2),
    heldMb.toFixed(0),
    `${startMb.toFixed(0)} -> ${endMb.toFixed(0)}`,
    (backMs / 1_000).toFixed(0),
    `${damage.ended} of ${damage.connections}`,
    damage.ended === 0 ? '-' : (damage.longestLifeMs / 1_000).toFixed(1),
    ...[p99, straight].map((values) => values.map((ms) => ms.toFixed(1)).join(' / ')),
    `${(100 * others).toFixed(0)} %`,
  ]);
  console.log(rows.at(-1)?.join(' | '));
}
console.log(
  `\n${markdownTable(['Attack', 'Sent, MB', 'Held, MB', 'RSS, MB', 'Back after, s', 'Connections ended', 'Longest lived, s', 'Good client, p99 ms before / during / after', 'Without the gateway', 'Others on its core'], rows)}`,
);
for (const doubt of doubts) console.log(`DOUBT, for the core was not the gateway's alone: ${doubt}`);
for (const fault of faults) console.log(`FAULT: ${fault}`);
agent.destroy();
await cleanups.run();
process.exit(faults.length === 0 ? 0 : 1);
