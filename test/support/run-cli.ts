import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/run.ts';

const KEYGATE = join(import.meta.dirname, '../../bin/keygate');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory of its own in which bin/keygate is run for real, with its own key store. */
export interface CliHome {
  readonly directory: string;
  /** A path inside the directory. */
  at(name: string): string;
  /** Runs the command; its output goes into pipes, as it would in a script. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  remove(): void;
}

export function createCliHome(): CliHome {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-cli-'));
  const at = (name: string): string => join(directory, name);
  return {
    directory,
    at,
    async run(args, env = {}) {
      // Nothing of the surroundings gets in: a variable of the developer's must not decide a test.
      const { PATH = '' } = process.env;
      const child = spawn(KEYGATE, args, {
        cwd: directory,
        env: { PATH, HOME: directory, KEYGATE_STORE_SQLITE_PATH: at('keys.db'), ...env },
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

/** Runs the command in this process, which takes a tenth of the time; for tests of what commands say and do. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin?: AsyncIterable<Uint8Array>,
): Promise<CliResult> {
  let [stdout, stderr] = ['', ''];
  const code = await run(args, {
    stdout: { write: (text) => void (stdout += text) },
    stderr: { write: (text) => void (stderr += text) },
    env,
    ...(stdin && { stdin }),
  });
  return { code, stdout, stderr };
}
