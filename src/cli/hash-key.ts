import { toShownAnswer } from '../admin/explain.ts';
import type { ShownAnswer } from '../admin/explain.ts';
import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { createDigester } from '../credential/digest.ts';
import type { KeyDigest } from '../credential/digest.ts';
import { checkKeyText } from '../credential/key-text.ts';
import { isPlainKey } from '../credential/read.ts';
import { CliError, EXIT } from './errors.ts';

export interface HashOptions {
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The digests of a key, under the configured peppers; or what every gateway says to it without asking anybody. */
export function hashKey(
  text: string,
  { file, env }: HashOptions,
): { readonly digests: KeyDigest[] } | { readonly answer: ShownAnswer } {
  if (!isPlainKey(text)) return { answer: toShownAnswer({ level: 'configuration', reason: 'malformed_credential' }) };
  if (checkKeyText(text) === 'bad') {
    return { answer: toShownAnswer({ level: 'configuration', reason: 'bad_checksum' }) };
  }
  const loaded = loadConfig({ file, env, dev: true });
  if (!loaded.ok) throw new CliError(formatFaults(loaded.faults), { exitCode: EXIT.refused });
  const { pepper, previousPeppers } = loaded.config.keys;
  const { digest, alternates } = createDigester({ pepper: pepper ?? undefined, previousPeppers })(text);
  return { digests: [digest, ...alternates] };
}
