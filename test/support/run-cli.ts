import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from '../../src/cli/run.ts';

const KEYGATE = join(import.meta.dirname, '../../bin/keygate');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory of its own for commands, with its own key store. */
export interface CliHome {
  readonly directory: string;
  /** A path inside the directory. */
  at(name: string): string;
  /** Runs the command in this process, which takes a tenth of the time: for what commands say and do. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  /**
   * Runs bin/keygate for real, with its output into pipes, as in a script: for what only a process has, which is an
   * exit code, an end of its own accord, and a store that others write to at the same time.
   */
  spawn(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  remove(): void;
}

export function createCliHome(): CliHome {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-cli-'));
  const at = (name: string): string => join(directory, name);
  const ownStore = { KEYGATE_STORE_SQLITE_PATH: at('keys.db') };
  return {
    directory,
    at,
    run: (args, env = {}) => runHere(args, { ...ownStore, ...env }),
    async spawn(args, env = {}) {
      const child = spawn(KEYGATE, args, {
        cwd: directory,
        env: { ...surroundings(), HOME: directory, ...ownStore, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, stdout, stderr };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Nothing more gets in: a variable of the developer's must not decide a test. */
function surroundings(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) };
}

/** Runs the command in this process, with nothing but these variables around it; with `columns`, on a terminal. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin: AsyncIterable<Uint8Array> = Readable.from([]),
  columns?: number,
): Promise<CliResult> {
  let [stdout, stderr] = ['', ''];
  const screen = columns === undefined ? {} : { isTTY: true, columns };
  const code = await run(args, {
    stdout: { write: (text, done) => [(stdout += text), done?.()], ...screen },
    stderr: { write: (text, done) => [(stderr += text), done?.()] },
    stdin,
    env,
  });
  return { code, stdout, stderr };
}
