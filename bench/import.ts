import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startRedis } from '../test/support/redis.ts';
import { digestOf } from '../test/support/stores.ts';

/**
 * `npm run bench:import [keys]`: the command line imports that many keys into an empty store and exports them again, a
 * process of its own each time, first a tenth of them and then all. Read the memory downwards: it should stay what it is.
 */
const keys = Number(process.argv[2] ?? 1_000_000);
const SAMPLE_MS = 50;
const main = join(dirname(import.meta.dirname), 'src/main.ts');

interface Run {
  readonly seconds: number;
  /** The most memory that the process held. */
  readonly peakMib: number;
}

const directory = await mkdtemp(join(tmpdir(), 'keygate-bench-'));
try {
  print('| store | keys | import | keys/s | memory | export | keys/s | memory |');
  print('|---|---|---|---|---|---|---|---|');
  for (const store of ['SQLite', 'Redis']) {
    for (const count of [Math.round(keys / 10), keys]) await measure(store, count);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measure(store: string, count: number): Promise<void> {
  const input = join(directory, 'in.jsonl');
  const output = join(directory, 'out.jsonl');
  const database = join(directory, 'keygate.db');
  await pipeline(Readable.from(lines(count)), createWriteStream(input));
  const redis = store === 'Redis' ? await startRedis() : undefined;
  const where: Record<string, string> =
    redis === undefined ? { KEYGATE_STORE_SQLITE_PATH: database } : { KEYGATE_STORE_REDIS_URL: redis.url };
  try {
    const imported = await run(where, ['keys', 'import', '--file', input], `Keys imported: ${count}, `);
    const exported = await run(where, ['keys', 'export', '--file', output], `Keys exported: ${count},`);
    const cells = [imported, exported].flatMap(({ seconds, peakMib }) => [
      `${seconds.toFixed(1)} s`,
      Math.round(count / seconds).toLocaleString('en'),
      `${peakMib.toFixed(0)} MiB`,
    ]);
    print(`| ${store} | ${count.toLocaleString('en')} | ${cells.join(' | ')} |`);
  } finally {
    await redis?.stop();
    for (const file of [input, output, database, `${database}-wal`, `${database}-shm`]) await rm(file, { force: true });
  }
}

function* lines(count: number): Generator<string> {
  yield '{"format":"keygate-keys","version":1}\n';
  for (let i = 1; i <= count; i++) {
    const id = String(2 ** 47 + i);
    const record = {
      id,
      kind: 'ingestion',
      name: `team-${i % 1_000}/service-${i}`,
      description: 'What it is for, and whom to ask about it',
      digest: digestOf(id),
      state: 'active',
      createdAt: 1_893_456_000_000,
      createdBy: 'bench',
      revision: 1,
    };
    yield `${JSON.stringify(record)}\n`;
  }
}

/** Fails unless the command says what it is to say. */
async function run(where: Readonly<Record<string, string>>, args: string[], expected: string): Promise<Run> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [main, ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'], ...where },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  let peakMib = 0;
  const sampling = setInterval(() => (peakMib = Math.max(peakMib, peakOf(child.pid))), SAMPLE_MS);
  await once(child, 'close');
  clearInterval(sampling);
  if (!said.includes(expected)) throw new Error(`${args.join(' ')}: ${said.slice(0, 2_000)}`);
  return { seconds: (performance.now() - startedAt) / 1_000, peakMib };
}

function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0; // it has ended
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
