import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { createDigester } from '../credential/digest.ts';
import type { Digester } from '../credential/digest.ts';
import { digesterOf } from '../key-options.ts';
import { CliError, EXIT } from './errors.ts';

export interface PepperSource {
  /** The configuration file, if one was named. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * For a gateway elsewhere. Whether it has a pepper is not known here; it takes plain digests too, as of keys before its
 * first one. The peppers that are configured here, which are read when a text first comes, give further digests.
 */
export function createRemoteDigester({ file, env }: PepperSource): Digester {
  const plain = createDigester({});
  let peppered: Digester | undefined;
  return (text) => {
    peppered ??= configuredDigester({ file, env });
    const { digest } = plain(text);
    const known = peppered(text);
    return { digest, alternates: [known.digest, ...known.alternates].filter((each) => each !== digest) };
  };
}

function configuredDigester({ file, env }: PepperSource): Digester {
  const loaded = loadConfig({ file, env, dev: true });
  if (!loaded.ok) throw new CliError(formatFaults(loaded.faults), { exitCode: EXIT.refused });
  return digesterOf(loaded.config.keys);
}
