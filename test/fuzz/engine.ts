import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { Coverage } from './coverage.ts';
import { Chance, MAX_INPUT_BYTES, mutate } from './mutate.ts';
import type { Target } from './target.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Whichever comes first. */
  readonly maxCases: number;
  readonly maxMs: number;
  /** Inputs that get to code where none was before are mutated further. */
  readonly isGuided: boolean;
}

export interface FuzzReport {
  readonly cases: number;
  readonly kept: number;
  /** What was found, each with the file that repeats it. */
  readonly findings: readonly string[];
  /** Live memory and handles, when a quarter of the cases was through and at the end. */
  readonly heapMb: readonly [early: number, late: number];
  readonly handles: readonly [early: number, late: number];
}

/** Nothing that a peer sends may keep the event loop for so long; a busy machine may. */
const MAX_BLOCKED_MS = 2_000;
/** After so long without a turn it will never come back. */
const HANG_MS = 20_000;
const MAX_KEPT = 2_000;
const MAX_FINDINGS = 5;
const BATCH = 50;

const CORPUS = fileURLToPath(new URL('corpus/', import.meta.url));

/** Feeds a target with its corpus, and with mutations of that, and finds what should not be. */
export async function fuzz(name: string, target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const chance = new Chance(options.seed);
  const corpus = readCorpus(name);
  const coverage = options.isGuided ? new Coverage() : undefined;
  const watchdog = new Watchdog(name);
  const findings: string[] = [];
  let thrown: unknown;
  const onThrown = (error: unknown): void => void (thrown ??= error);
  process.on('uncaughtException', onThrown);
  process.on('unhandledRejection', onThrown);

  async function tryInput(input: Buffer): Promise<void> {
    watchdog.begin(input);
    thrown = undefined;
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    const fault = await target.run(input, chance).catch((error: unknown) => String((error as Error).stack ?? error));
    const { user } = process.cpuUsage(cpu);
    const isSlow = performance.now() - startedAt > MAX_BLOCKED_MS && user / 1_000 > MAX_BLOCKED_MS;
    const what =
      thrown === undefined ? (fault ?? (isSlow ? `took ${user / 1_000} ms of CPU` : undefined)) : stackOf(thrown);
    if (what !== undefined) findings.push(`${save(name, input)}: ${what}`);
  }

  const deadline = performance.now() + options.maxMs;
  const isOver = (): boolean =>
    performance.now() >= deadline || cases >= options.maxCases || findings.length >= MAX_FINDINGS;
  let cases = 0;
  let early: Usage | undefined;
  for (const input of corpus.slice()) {
    await tryInput(input);
    cases += 1;
  }
  const startedAt = performance.now();
  while (!isOver()) {
    const batch = Array.from({ length: BATCH }, () => mutate(chance.of(corpus), chance.of(corpus), chance));
    for (const input of batch) {
      if (isOver()) break;
      await tryInput(input);
      cases += 1;
    }
    if (coverage?.grew() === true && corpus.length < MAX_KEPT) {
      // Which of them it was costs one look each, and is worth it: there are few such batches.
      coverage.forget();
      for (const input of batch) {
        await tryInput(input);
        if (coverage.grew()) corpus.push(input);
      }
    }
    if (early === undefined && (cases > options.maxCases / 4 || performance.now() - startedAt > options.maxMs / 4))
      early = usage();
  }
  const late = usage();
  early ??= late;
  watchdog.end();
  coverage?.close();
  process.removeListener('uncaughtException', onThrown);
  process.removeListener('unhandledRejection', onThrown);
  return {
    cases,
    kept: corpus.length,
    findings,
    heapMb: [early.heapMb, late.heapMb],
    handles: [early.handles, late.handles],
  };
}

/** Found inputs lie beside the corpus; those that were faults stay in it. */
function save(name: string, input: Buffer): string {
  const directory = `${CORPUS}${name}`;
  mkdirSync(directory, { recursive: true });
  const file = `${directory}/found-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(file, input);
  return file;
}

function readCorpus(name: string): Buffer[] {
  return readdirSync(`${CORPUS}${name}`).map((file) => readFileSync(`${CORPUS}${name}/${file}`));
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

interface Usage {
  readonly heapMb: number;
  readonly handles: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usage(): Usage {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    heapMb: Math.round((heapUsed + arrayBuffers) / 104_857.6) / 10,
    handles: process.getActiveResourcesInfo().length,
  };
}

/** Saves the input at which the event loop does not come back, and ends the process: nobody else could. */
class Watchdog {
  readonly #shared = new SharedArrayBuffer(8 + MAX_INPUT_BYTES);
  readonly #numbers = new Int32Array(this.#shared, 0, 2);
  readonly #worker: Worker;

  constructor(name: string) {
    this.#worker = new Worker(new URL('watchdog.ts', import.meta.url), {
      workerData: { shared: this.#shared, file: `${CORPUS}${name}/found-hang`, hangMs: HANG_MS },
    });
    this.#worker.unref();
  }

  begin(input: Buffer): void {
    new Uint8Array(this.#shared, 8).set(input.subarray(0, MAX_INPUT_BYTES));
    this.#numbers[1] = input.length;
    Atomics.add(this.#numbers, 0, 1);
  }

  end(): void {
    void this.#worker.terminate();
  }
}
