import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { waitForChange } from '../src/replica/progress.ts';
import { startRedisKeys } from '../test/support/redis-keys.ts';
import type { TestRedis } from '../test/support/redis.ts';
import { Cleanups } from '../test/support/scope.ts';
import { createCertificate } from '../test/support/tls.ts';
import { addKeys } from './known-keys.ts';
import { describeMachine } from './machine.ts';
import { installPackage } from './package.ts';
import { LOAD_CORE, startScript, stopChildren } from './processes.ts';
import { table, writeInto } from './report.ts';
import { createFleet } from './scale/fleet.ts';
import type { SendersOptions, Told } from './scale/senders.ts';
import { median, quantile } from './statistics.ts';

/**
 * `npm run bench:scale [-- gateways [collectors]] [-- --write]`: a fifth of a site of 20 gateways and 10,000 collectors, on one machine.
 * All gateways share one core; the collectors, each with a key and a TLS connection of its own, share the other with Redis and the
 * collector behind. They all arrive at once, send a batch every ten seconds, half of the gateways are lost, all are; keys are revoked, and Redis
 * freezes. Nothing may be refused, and no batch may be left over.
 */
const numbers = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const replicas = Number(numbers[0] ?? 4);
const collectors = Number(numbers[1] ?? 2_000);
const EVERY_MS = 10_000;
const BODY_BYTES = 10_000;
const QUIET_MS = 10_000;
const STEADY_MS = 30_000;
const FROZEN_MS = 10_000;
const REVOCATIONS = 100;
const ACTOR = { name: 'bench' };
const GATHER_MS = 180_000;
const POLL_MS = 250;
/** Until senders know that their gateway is gone. */
const NOTICE_MS = 1_000;
/** What is under way at any time. */
const UNDER_WAY_SHARE = 0.02;

const directory = await mkdtemp(join(tmpdir(), 'keygate-scale-'));
const scope = new Cleanups();
scope.after(() => rm(directory, { recursive: true, force: true }));
const rows: string[][] = [];
try {
  await run();
} finally {
  await stopChildren();
  await scope.run();
}

async function run(): Promise<void> {
  const keygate = installPackage(directory);
  const { redis, store, keys } = await startRedisKeys(scope);
  await keys.create({ kind: 'ingestion', name: 'the first' }, ACTOR); // so that Redis is known to be ours
  const certificate = await createCertificate(scope);
  const { grpc: collector } = JSON.parse(
    await startScript(LOAD_CORE, join(import.meta.dirname, 'sink.ts'), []).line((line) => line.startsWith('{')),
  ) as { grpc: number };
  const all = Array.from({ length: replicas }, (_, i) => i);
  const half = all.slice(0, replicas >> 1);
  const fleet = await createFleet({
    size: replicas,
    directory,
    keygate,
    certificate,
    collector,
    redisPort: redis.port,
  });

  say(`starting ${replicas} gateways ...`);
  await fleet.start(all);

  /** What happened while something lasted, as a row. */
  async function during(what: string, act: () => Promise<string>): Promise<void> {
    say(`${what} ...`);
    const [cpuMs, before, startedAt] = [fleet.usage().cpuMs, await redisUsage(redis), performance.now()];
    const outcome = await act();
    const ms = performance.now() - startedAt;
    const after = await redisUsage(redis);
    const rss = fleet.usage().rssMib.toSorted((a, b) => a - b);
    rows.push([
      what,
      `${(ms / 1_000).toFixed(1)} s`,
      `${((100 * (fleet.usage().cpuMs - cpuMs)) / ms).toFixed(0)} %`,
      `${median(rss).toFixed(0)} / ${(rss.at(-1) ?? Number.NaN).toFixed(0)} MiB`,
      Math.round(((after.commands - before.commands) * 1_000) / ms).toLocaleString('en'),
      `${((100 * (after.cpuMs - before.cpuMs)) / ms).toFixed(1)} %`,
      outcome,
    ]);
    say(`  ${(rows.at(-1) ?? []).slice(1).join(' | ')}`);
  }

  await during('nobody sends', async () => {
    await delay(QUIET_MS);
    return '';
  });

  const keyFile = join(directory, 'keys');
  await writeFile(keyFile, (await addKeys(store, collectors)).join('\n'), { mode: 0o600 });
  const options: SendersOptions = {
    ports: fleet.ports,
    certificate: certificate.certPath,
    keys: keyFile,
    bodyBytes: BODY_BYTES,
    everyMs: EVERY_MS,
  };
  const senders = startScript(LOAD_CORE, join(import.meta.dirname, 'scale/senders.ts'), [JSON.stringify(options)]);
  const { port } = JSON.parse(await senders.line((line) => line.startsWith('{'))) as { port: number };
  const ask = async (): Promise<Told> => (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Told;
  /** Until all are connected, and all that they have made so far but the newest is accepted. */
  async function gathered(): Promise<Told> {
    const deadline = performance.now() + GATHER_MS;
    for (;;) {
      const told = await ask();
      if (told.refused > 0) throw new Error(`${told.refused} batches were refused`);
      if (told.connected === collectors && told.made - told.accepted < 10 + collectors * UNDER_WAY_SHARE) return told;
      if (performance.now() > deadline) throw new Error(`they did not gather: ${JSON.stringify(told)}`);
      await delay(POLL_MS);
    }
  }
  async function connectedAgain(): Promise<number> {
    const startedAt = performance.now();
    await delay(NOTICE_MS);
    while ((await ask()).connected < collectors) await delay(POLL_MS);
    return (performance.now() - startedAt) / 1_000;
  }
  const batches = (told: Told, before: Told): string =>
    `${(told.accepted - before.accepted).toLocaleString('en')} batches, ${(told.retried - before.retried).toLocaleString('en')} sent again`;

  await during(`${collectors.toLocaleString('en')} collectors arrive at once`, async () => {
    const seconds = await connectedAgain();
    const told = await gathered();
    return `all connected after ${seconds.toFixed(1)} s, ${told.handshakes.toLocaleString('en')} handshakes, ${told.retried.toLocaleString('en')} batches sent again`;
  });

  await during('a batch each, every 10 s', async () => {
    const before = await ask();
    await delay(STEADY_MS);
    const told = await ask();
    return `${batches(told, before)}; p50 ${told.p50Ms.toFixed(1)} ms, p99 ${told.p99Ms.toFixed(1)} ms`;
  });

  await during(`${REVOCATIONS} keys are revoked`, async () => {
    const times: number[] = [];
    for (let i = 0; i < REVOCATIONS; i++) {
      const { record } = await keys.create({ kind: 'ingestion', name: `revoked ${i}` }, ACTOR);
      await keys.revoke('ingestion', record.id, ACTOR, { force: true });
      const progress = await waitForChange(record.digest, { store: store.replicas, timeoutMs: 10_000 });
      if (!progress.complete || progress.replicas.length !== replicas) throw new Error('not all have heard of it');
      times.push(Math.max(...progress.replicas.map(({ milliseconds = Number.NaN }) => milliseconds)));
    }
    times.sort((a, b) => a - b);
    return `known to the last of ${replicas} after ${quantile(times, 0.5)} ms (p50), ${quantile(times, 0.99)} ms (p99)`;
  });

  await during(`Redis answers nothing for ${FROZEN_MS / 1_000} s`, async () => {
    const before = await ask();
    redis.freeze();
    await delay(FROZEN_MS);
    redis.thaw();
    const told = await gathered();
    return batches(told, before);
  });

  await during('half of the gateways are lost', async () => {
    const before = await ask();
    fleet.kill(half);
    const seconds = await connectedAgain();
    const told = await gathered();
    return `all connected after ${seconds.toFixed(1)} s; ${batches(told, before)}`;
  });
  await fleet.start(half);

  await during('all of them are lost, and start again', async () => {
    const before = await ask();
    fleet.kill(all);
    await fleet.start(all);
    const seconds = await connectedAgain();
    const told = await gathered();
    return `all connected ${seconds.toFixed(1)} s after the start; ${batches(told, before)}`;
  });

  const head = [
    '',
    'lasts',
    'CPU of all gateways',
    'RSS of one: median / most',
    'Redis commands/s',
    'CPU of Redis',
    'outcome',
  ];
  const page = [
    `${replicas} gateways, ${collectors.toLocaleString('en')} collectors, batches of ${BODY_BYTES / 1_000} KB, gRPC over TLS 1.3:`,
    table(head, rows),
    describeMachine(),
  ];
  say(`\n${page.join('\n\n')}`);
  if (process.argv.includes('--write'))
    await writeInto(join(dirname(import.meta.dirname), 'docs/scale.md'), 'npm run bench:scale', page);
}

async function redisUsage(redis: TestRedis): Promise<{ readonly commands: number; readonly cpuMs: number }> {
  const info = String(await redis.command('INFO', 'everything'));
  const of = (name: string): number => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1] ?? Number.NaN);
  return {
    commands: of('total_commands_processed'),
    cpuMs: 1_000 * (of('used_cpu_user') + of('used_cpu_sys')),
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
