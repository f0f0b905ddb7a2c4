import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** What is measured has this one for itself; the load, the collector, Redis and we share the other. */
export const MEASURED_CORE = '0';
export const LOAD_CORE = '1';

const LISTEN_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const KEPT_OUTPUT = 20_000;

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGTERM'); // so that nginx can end its worker
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** A program that was started, and that ends with us. */
export interface Started {
  readonly pid: number;
  /** Rejects with what it said if it ends before it is stopped. */
  readonly failed: Promise<never>;
  /** The first line of its output that is wanted. */
  line(isWanted: (line: string) => boolean): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a program, on a core of its own if one is given; what it says is shown only if it ends early. */
export function startProgram(core: string | undefined, command: string, args: readonly string[]): Started {
  const child = spawnOn(core, command, args);
  let output = '';
  const waiting = new Set<() => void>();
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
    for (const look of waiting) look();
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const failed = Promise.race([once(child, 'exit'), once(child, 'error')]).then(([why]) => {
    throw new Error(`${command} ${args.join(' ')} ended early (${String(why)}): ${output}`);
  });
  failed.catch(() => undefined); // whoever waits for it hears of it
  const line = (isWanted: (line: string) => boolean): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = output.split('\n').slice(0, -1).find(isWanted);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return {
    pid: child.pid ?? 0,
    failed,
    line: (isWanted) => Promise.race([line(isWanted), failed]),
    stop: () => stop(child),
  };
}

/** Starts a script of ours. */
export function startScript(core: string | undefined, script: string, args: readonly string[]): Started {
  return startProgram(core, process.execPath, [script, ...args]);
}

/** The same, and resolves with the first line of its output that is wanted. */
export function startChild(
  core: string | undefined,
  script: string,
  args: readonly string[],
  isWanted: (line: string) => boolean,
): Promise<string> {
  return startScript(core, script, args).line(isWanted);
}

/** Ends all that were started, and waits for it. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...children].map(stop));
}

/** taskset replaces itself by the program, so the pid is the program's. */
function spawnOn(core: string | undefined, command: string, args: readonly string[]): ChildProcess {
  const pinned = canPin && core !== undefined ? ['taskset', '-c', core, command, ...args] : [command, ...args];
  const child = spawn(pinned[0] ?? '', pinned.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** For programs that cannot choose a free port themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function untilListening(port: number, { failed }: Pick<Started, 'failed'>): Promise<void> {
  const deadline = performance.now() + LISTEN_TIMEOUT_MS;
  while (!(await Promise.race([accepts(port), failed]))) {
    if (performance.now() > deadline) throw new Error(`nobody listens on port ${port}`);
    await delay(POLL_MS);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
