import { readFileSync } from 'node:fs';
import { CliError, EXIT } from './errors.ts';
import type { KeyAdmin } from './key-admin.ts';

/** The flags that say where keys are managed. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly serviceToken?: string;
  readonly skipSsl?: boolean;
  readonly caCertPath?: string;
  readonly config?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * With a URL, through the admin API there; without one, straight to the configured store, which is how the first service
 * token is made. A URL without a token, or a token without a URL, is never read as "then the other way".
 */
export async function openKeyAdmin(
  flags: ConnectionFlags,
  env: Environment,
  note: (line: string) => void,
): Promise<KeyAdmin> {
  const url = flags.url ?? (env['KEYGATE_URL'] || undefined);
  const token = flags.serviceToken ?? readToken(env);
  if (url === undefined && token === undefined) {
    const { openLocalKeyAdmin } = await import('./local.ts');
    return openLocalKeyAdmin({ file: flags.config, env, note });
  }
  if (url === undefined) {
    throw new CliError(
      'a service token is set but no URL: give --url or KEYGATE_URL as well, or unset the token to use the key store of this machine',
      { exitCode: EXIT.refused },
    );
  }
  if (token === undefined) {
    throw new CliError(
      'a URL is set but no service token: give --service-token, KEYGATE_SERVICE_TOKEN or KEYGATE_SERVICE_TOKEN_FILE as well',
      { exitCode: EXIT.refused },
    );
  }
  const [{ openRemoteKeyAdmin }, { createRemoteDigester }] = await Promise.all([
    import('./remote.ts'),
    import('./configured-digester.ts'),
  ]);
  note(`using the admin API at ${url}`);
  return openRemoteKeyAdmin({
    url,
    token,
    skipSsl: flags.skipSsl ?? false,
    ca: flags.caCertPath === undefined ? undefined : readText(flags.caCertPath),
    digestsOf: createRemoteDigester({ file: flags.config, env }),
  });
}

function readToken(env: Environment): string | undefined {
  const token = env['KEYGATE_SERVICE_TOKEN'] || undefined;
  const file = env['KEYGATE_SERVICE_TOKEN_FILE'] || undefined;
  if (token !== undefined && file !== undefined) {
    throw new CliError('KEYGATE_SERVICE_TOKEN and KEYGATE_SERVICE_TOKEN_FILE are both set: unset one of the two', {
      exitCode: EXIT.refused,
    });
  }
  return token ?? (file === undefined ? undefined : readText(file).trim());
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(`cannot read file ${path} (${why})`, { exitCode: EXIT.readFile, cause });
  }
}
