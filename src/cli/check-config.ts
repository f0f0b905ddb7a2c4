import type { Environment } from '../config/environment.ts';
import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';

export interface CheckConfigOptions {
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly dev?: boolean;
  readonly write: (text: string) => void;
}

/** Judges a configuration and starts nothing: exit code 0 if it is good, 1 if it has faults, all of which are named. */
export function checkConfig({ file, env, dev = false, write }: CheckConfigOptions): 0 | 1 {
  const result = loadConfig({ file, env, dev });
  if (!result.ok) {
    write(`${formatFaults(result.faults)}\n`);
    return 1;
  }
  const from = [result.source ?? 'no file', ...result.variables].join(', ');
  write(`OK: the configuration is valid (${from}; defaults for the rest).\n`);
  return 0;
}
