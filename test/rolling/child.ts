import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Scope } from '../support/scope.ts';

/** A script of this folder that runs beside us, and tells in JSON lines. */
export interface Child {
  /** Resolves when it has said this. */
  said(word: string): Promise<void>;
  /** Asks it to end, and resolves when it has. */
  end(): Promise<void>;
}

export function startChild(
  t: Scope,
  script: string,
  args: readonly string[],
  hear: (line: readonly unknown[]) => void,
  env: Readonly<Record<string, string>> = {},
): Child {
  const child = spawn(process.execPath, ['--disable-warning=DEP0060', join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const closed = once(child, 'close') as Promise<[code: number | null]>;
  const words = new Set<string>();
  const waiting = new Map<string, () => void>();
  createInterface(child.stdout).on('line', (line) => {
    const told: unknown = JSON.parse(line);
    if (typeof told !== 'string') return hear(told as unknown[]);
    words.add(told);
    waiting.get(told)?.();
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  t.after(async () => {
    kill();
    await closed;
    process.off('exit', kill);
  });
  return {
    async said(word) {
      if (words.has(word)) return;
      await Promise.race([
        new Promise<void>((resolve) => waiting.set(word, resolve)),
        closed.then(() => {
          if (!words.has(word)) throw new Error(`${script} ended before it said "${word}"`);
        }),
      ]);
    },
    async end() {
      child.kill('SIGTERM');
      const [code] = await closed;
      if (code !== 0) throw new Error(`${script} ended with ${code}`);
    },
  };
}
