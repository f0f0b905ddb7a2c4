import { join } from 'node:path';
import { startProgram } from '../support/program.ts';
import type { Scope } from '../support/scope.ts';

/** A script of this folder that runs beside us, and tells in JSON lines. */
export interface Child {
  /** Resolves when it has said this. */
  said(word: string): Promise<void>;
  /** Asks it to end, and resolves when it has. */
  end(): Promise<void>;
}

const SAID_WITHIN_MS = 20_000;

export function startChild(
  t: Scope,
  script: string,
  args: readonly string[],
  hear: (line: readonly unknown[]) => void,
  env: Readonly<Record<string, string>> = {},
): Child {
  const words = new Set<string>();
  const command = [process.execPath, '--disable-warning=DEP0060', join(import.meta.dirname, script), ...args] as const;
  const running = startProgram(t, command, {
    env: { ...process.env, ...env },
    hear(line) {
      const told: unknown = JSON.parse(line);
      if (typeof told === 'string') words.add(told);
      else hear(told as unknown[]);
    },
  });
  return {
    said: (word) => running.until(`${script} says "${word}"`, () => words.has(word), SAID_WITHIN_MS),
    async end() {
      running.signal('SIGTERM');
      const code = await running.ended;
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${running.stderr()}`);
    },
  };
}
