import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
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
  for (const child of children) child.kill('SIGKILL');
});

/** A program that was started, and that ends with us. */
export interface Started {
  readonly pid: number;
  /** Rejects with what it said if it ends before it is stopped. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** Starts a program, on a core of its own if one is given; what it says is shown only if it ends early. */
export function startProgram(core: string | undefined, command: string, args: readonly string[]): Started {
  const child = spawnOn(core, command, args, ['ignore', 'pipe', 'pipe']);
  let output = '';
  const keep = (chunk: Buffer) => void (output = (output + chunk.toString()).slice(-KEPT_OUTPUT));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const failed = Promise.race([once(child, 'exit'), once(child, 'error')]).then(([why]) => {
    throw new Error(`${command} ${args.join(' ')} ended early (${String(why)}): ${output}`);
  });
  failed.catch(() => undefined); // whoever waits for it hears of it
  return { pid: child.pid ?? 0, failed, stop: () => stop(child) };
}

/** Starts a script of ours and resolves with the first line of its output that is wanted. */
export async function startChild(
  core: string | undefined,
  script: string,
  args: string[],
  isWanted: (line: string) => boolean,
): Promise<string> {
  return (await startScript(core, script, args, isWanted)).line;
}

export async function startScript(
  core: string | undefined,
  script: string,
  args: readonly string[],
  isWanted: (line: string) => boolean,
): Promise<Omit<Started, 'failed'> & { readonly line: string }> {
  const node = ['--disable-warning=DEP0060', script, ...args];
  const child = spawnOn(core, process.execPath, node, ['ignore', 'pipe', 'inherit']);
  let text = '';
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      if (text.length > KEPT_OUTPUT) return;
      text += chunk.toString();
      const line = text.split('\n').slice(0, -1).find(isWanted);
      if (line !== undefined) resolve(line);
    });
    void once(child, 'exit').then(() => reject(new Error(`${script} ended early: ${text}`)));
  });
  return { pid: child.pid ?? 0, line, stop: () => stop(child) };
}

/** Ends all that were started, and waits for it. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...children].map(stop));
}

/** taskset replaces itself by the program, so the pid is the program's. */
function spawnOn(core: string | undefined, command: string, args: readonly string[], stdio: StdioOptions) {
  const child =
    canPin && core !== undefined
      ? spawn('taskset', ['-c', core, command, ...args], { stdio })
      : spawn(command, args, { stdio });
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
