import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Scope } from './scope.ts';
import { until } from './wait.ts';

/** A program that runs beside the tests, no longer than its scope and no longer than this process. */
export interface Program {
  readonly pid: number;
  /** Its exit code, or null after a signal, once it has ended and all is here that it has written. */
  readonly ended: Promise<number | null>;
  hasEnded(): boolean;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Both, the former first. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves once the condition holds; fails with what the program has written if that takes too long, or the program ends first. */
  until(what: string, holds: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** All of its environment, if it is not to have ours. */
  readonly env?: NodeJS.ProcessEnv;
  /** Gets each line of stdout, which is then not kept. */
  readonly hear?: (line: string) => void;
  /** It is killed if it has not ended by itself by then. */
  readonly limitMs?: number;
  /** How it ends with its scope. */
  readonly end?: 'SIGKILL' | 'SIGTERM';
}

/** In characters, of each stream: far more than any suite needs. A program that writes more is ended. */
const MOST_KEPT = 1 << 26;
/** How long it may take to end, and those that it has started may go on to write. */
const ENDED_WITHIN_MS = 5_000;
const TAIL = 2_000;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startProgram(
  scope: Scope,
  [program, ...args]: readonly [program: string, ...args: string[]],
  { cwd, env, hear, limitMs, end = 'SIGKILL' }: ProgramOptions = {},
): Program {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd, env });
  running.add(child);
  const kept = { stdout: '', stderr: '' };
  const keep = (name: keyof typeof kept, stream: Readable): void => {
    stream.setEncoding('utf8').on('data', (text: string) => {
      kept[name] += text;
      if (kept[name].length <= MOST_KEPT) return;
      kept[name] = `${kept[name].slice(0, MOST_KEPT)}\nit wrote more than that, and was ended`;
      stream.removeAllListeners('data').resume();
      child.kill('SIGKILL');
    });
  };
  if (hear === undefined) keep('stdout', child.stdout);
  else createInterface(child.stdout).on('line', hear);
  keep('stderr', child.stderr);
  child.once('error', (cause) => (kept.stderr += cause.message)); // it could not be started, and has ended
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const deadline = limitMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), limitMs);
  let hasEnded = false;
  void ended.then(() => {
    clearTimeout(deadline);
    hasEnded = true;
    running.delete(child);
  });
  scope.after(async () => {
    child.kill(end);
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
    }, ENDED_WITHIN_MS);
    await ended;
    clearTimeout(late);
  });

  const output = (): string => kept.stdout + kept.stderr;
  return {
    pid: child.pid ?? 0,
    ended,
    hasEnded: () => hasEnded,
    stdout: () => kept.stdout,
    stderr: () => kept.stderr,
    output,
    signal: (name) => void child.kill(name),
    async until(what, holds, withinMs) {
      const orEnd = async (): Promise<boolean> => {
        const isOver = hasEnded;
        if (await holds()) return true;
        if (isOver) throw new Error(`it ended before this came true: ${what}`);
        return false;
      };
      await until(what, orEnd, withinMs).catch((cause: unknown) => {
        throw new Error(`${String(cause)}; it says: ${output().slice(-TAIL)}`, { cause });
      });
    },
  };
}
