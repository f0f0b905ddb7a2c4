import { findConnection, readText } from './connection.ts';
import type { Connection, ConnectionFlags } from './connection.ts';
import type { KeyAdmin } from './key-admin.ts';
import type { RemoteKeyAdmin } from './remote.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Through the admin API, if anything says where that is; otherwise straight to the configured store, which is how the first service
 * token is made.
 */
export async function openKeyAdmin(
  flags: ConnectionFlags,
  env: Environment,
  note: (line: string) => void,
): Promise<KeyAdmin> {
  const connection = findConnection(flags, env);
  if (connection === undefined) {
    const { openLocalKeyAdmin } = await import('./local.ts');
    return openLocalKeyAdmin({ file: flags.config, env, note });
  }
  note(`using the admin API at ${connection.url}`);
  return openConnection(connection, flags, env);
}

/** Sends nothing yet. */
export async function openConnection(
  { url, token, skipSsl, caCertPath }: Connection,
  { config }: Pick<ConnectionFlags, 'config'>,
  env: Environment,
): Promise<RemoteKeyAdmin> {
  const [{ openRemoteKeyAdmin }, { createRemoteTexts }] = await Promise.all([
    import('./remote.ts'),
    import('./configured-texts.ts'),
  ]);
  return openRemoteKeyAdmin({
    url,
    token,
    skipSsl,
    ca: caCertPath === undefined ? undefined : readText(caCertPath),
    texts: createRemoteTexts({ file: config, env }),
  });
}
