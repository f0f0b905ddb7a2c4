import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CliError, EXIT } from './errors.ts';

/** Where gateways are that this user manages keys of: a file in the form of StackState's CLI. */
export interface Contexts {
  readonly contexts: readonly NamedContext[];
  readonly current: string | undefined;
}

export interface NamedContext {
  readonly name: string;
  readonly context: Context;
}

/** How the admin API of one gateway is reached. */
export interface Context {
  readonly url: string;
  readonly 'service-token': string;
  readonly 'skip-ssl'?: boolean | undefined;
  readonly 'ca-cert-path'?: string | undefined;
}

/** In place of a name: the key store of this machine. */
export const NO_CONTEXT = 'none';

type Environment = Readonly<Record<string, string | undefined>>;

/** It holds tokens: nobody else may read it. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const contextSchema = z.looseObject({
  url: z.string(),
  'service-token': z.string(),
  'skip-ssl': z.boolean().optional(),
  'ca-cert-path': z.string().optional(),
});
const fileSchema = z.object({
  contexts: z.array(z.looseObject({ name: z.string(), context: contextSchema })).default([]),
  'current-context': z.string().nullish(),
});

/** Undefined where nothing says where this user's files are. */
export function contextsFile(env: Environment): string | undefined {
  const named = env['KEYGATE_CONTEXTS'] || undefined;
  if (named !== undefined) return named;
  const home = env['HOME'] || undefined;
  const config = env['XDG_CONFIG_HOME'] || (home && join(home, '.config'));
  return config && join(config, 'keygate', 'contexts.yaml');
}

/** A file that is not there yet has no contexts. */
export function readContexts(env: Environment): Contexts {
  const file = contextsFile(env);
  if (file === undefined || !existsSync(file)) return { contexts: [], current: undefined };
  const read = fileSchema.safeParse(
    attempt('read', file, EXIT.readFile, () => parse(readFileSync(file, 'utf8')) ?? {}),
  );
  if (read.success) return { contexts: read.data.contexts, current: read.data['current-context'] || undefined };
  const faults = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new CliError(`cannot read file ${file} (${faults})`, { exitCode: EXIT.readFile });
}

/** Whole or not at all, and readable by its owner only from its first byte on. */
export function writeContexts(env: Environment, { contexts, current }: Contexts): void {
  const file = contextsFile(env);
  if (file === undefined) {
    const message = 'nothing says where contexts are kept: set HOME, XDG_CONFIG_HOME or KEYGATE_CONTEXTS';
    throw new CliError(message, { exitCode: EXIT.writeFile });
  }
  attempt('write to', file, EXIT.writeFile, () => {
    mkdirSync(dirname(file), { recursive: true, mode: DIRECTORY_MODE });
    const target = existsSync(file) ? realpathSync(file) : file; // a link stays one
    const unfinished = `${target}.${process.pid}.new`;
    writeFileSync(unfinished, stringify({ contexts, 'current-context': current ?? '' }), { mode: FILE_MODE });
    chmodSync(unfinished, FILE_MODE); // one that was left behind keeps the mode that it had
    renameSync(unfinished, target);
  });
}

export function findContext({ contexts }: Contexts, name: string): Context {
  const found = contexts.find((each) => each.name === name);
  if (found !== undefined) return found.context;
  throw new CliError(`Context with name '${name}' not found`, { exitCode: EXIT.notFound });
}

function attempt<T>(what: string, file: string, exitCode: number, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`cannot ${what} file ${file} (${why})`, { exitCode, cause });
  }
}
