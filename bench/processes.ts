import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

const children: ChildProcess[] = [];

/** Starts a script, on a core of its own if one is given, and resolves with the first line of its output that is wanted. */
export async function startChild(
  core: string | undefined,
  script: string,
  args: string[],
  isWanted: (line: string) => boolean,
): Promise<string> {
  const node = ['--disable-warning=DEP0060', script, ...args];
  const child =
    canPin && core !== undefined
      ? spawn('taskset', ['-c', core, process.execPath, ...node], { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let text = '';
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const line = text.split('\n').slice(0, -1).find(isWanted);
      if (line !== undefined) resolve(line);
    });
    void once(child, 'exit').then(() => reject(new Error(`${script} ended early: ${text}`)));
  });
}

/** Ends all that were started, and waits for it. */
export async function stopChildren(): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }),
  );
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
