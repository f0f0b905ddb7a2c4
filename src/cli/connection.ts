import { readFileSync } from 'node:fs';
import { findContext, NO_CONTEXT, readContexts } from './contexts.ts';
import { CliError, EXIT } from './errors.ts';

/** The flags that say where keys are managed. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly serviceToken?: string;
  readonly context?: string;
  readonly skipSsl?: boolean;
  readonly caCertPath?: string;
  readonly config?: string;
}

/** How the admin API is reached. */
export interface Connection {
  readonly url: string;
  readonly token: string;
  readonly skipSsl: boolean;
  readonly caCertPath: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Undefined: keys are managed in the key store of this machine. A URL and its token come from one place, flags before variables before
 * the current context, so that no token is sent to a gateway that it is not for, and a forgotten variable sends no change to the
 * wrong place.
 */
export function findConnection(flags: ConnectionFlags, env: Environment): Connection | undefined {
  const url = flags.url ?? (env['KEYGATE_URL'] || undefined);
  const token = flags.serviceToken ?? readToken(env);
  const named = flags.context ?? (env['KEYGATE_CONTEXT'] || undefined);
  const isSaid = flags.context === undefined ? (url ?? token) : (flags.url ?? flags.serviceToken);
  if (named !== undefined && isSaid !== undefined) {
    throw refused('a context is named, and a URL or a service token is set as well: one of the two has to go');
  }
  if (named === undefined && isSaid !== undefined) return connectionOf(url, token, flags);
  const contexts = readContexts(env);
  const name = named ?? contexts.current;
  if (name === undefined || name === NO_CONTEXT) return undefined;
  const context = findContext(contexts, name);
  return {
    url: context.url,
    token: context['service-token'],
    skipSsl: flags.skipSsl ?? context['skip-ssl'] ?? false,
    caCertPath: flags.caCertPath ?? context['ca-cert-path'],
  };
}

/** What flags and variables say of a connection, which must be all of it. */
export function readConnection(flags: ConnectionFlags, env: Environment): Connection {
  return connectionOf(flags.url ?? (env['KEYGATE_URL'] || undefined), flags.serviceToken ?? readToken(env), flags);
}

function connectionOf(url: string | undefined, token: string | undefined, flags: ConnectionFlags): Connection {
  if (url === undefined) {
    throw refused(
      'a service token is set but no URL: give --url or KEYGATE_URL as well, or unset the token to use the key store of this machine',
    );
  }
  if (token === undefined) {
    throw refused(
      'a URL is set but no service token: give --service-token, KEYGATE_SERVICE_TOKEN or KEYGATE_SERVICE_TOKEN_FILE as well',
    );
  }
  return { url, token, skipSsl: flags.skipSsl ?? false, caCertPath: flags.caCertPath };
}

function readToken(env: Environment): string | undefined {
  const token = env['KEYGATE_SERVICE_TOKEN'] || undefined;
  const file = env['KEYGATE_SERVICE_TOKEN_FILE'] || undefined;
  if (token !== undefined && file !== undefined) {
    throw refused('KEYGATE_SERVICE_TOKEN and KEYGATE_SERVICE_TOKEN_FILE are both set: unset one of the two');
  }
  return token ?? (file === undefined ? undefined : readText(file).trim());
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`cannot read file ${path} (${why})`, { exitCode: EXIT.readFile, cause });
  }
}

function refused(message: string): CliError {
  return new CliError(message, { exitCode: EXIT.refused });
}
