import type { Config } from '../config/schema.ts';
import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { createDigester } from '../credential/digest.ts';
import { digesterOf, tokensOf } from '../key-options.ts';
import { CliError, EXIT } from './errors.ts';
import type { KeyAdmin } from './key-admin.ts';

export interface SecretSource {
  /** The configuration file, if one was named. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * For a gateway elsewhere. Whether it has a pepper is not known here; it takes plain digests too, as of keys before its
 * first one. The peppers that are configured here give further digests, and the secrets read tokens; both are looked for
 * when a text first comes.
 */
export function createRemoteTexts(source: SecretSource): Pick<KeyAdmin, 'digestsOf' | 'readToken'> {
  const plain = createDigester({});
  let loaded: Config['keys'] | undefined;
  const configured = (): Config['keys'] => (loaded ??= loadKeys(source));
  return {
    digestsOf(text) {
      const { digest } = plain(text);
      const known = digesterOf(configured())(text);
      return { digest, alternates: [known.digest, ...known.alternates].filter((each) => each !== digest) };
    },
    readToken: (text) => tokensOf(configured())?.read(text),
  };
}

function loadKeys({ file, env }: SecretSource): Config['keys'] {
  const loaded = loadConfig({ file, env, dev: true });
  if (!loaded.ok) throw new CliError(formatFaults(loaded.faults), { exitCode: EXIT.refused });
  return loaded.config.keys;
}
