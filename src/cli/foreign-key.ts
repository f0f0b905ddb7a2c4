import type { Digester } from '../credential/digest.ts';
import { checkKeyText, KEY_PREFIXES } from '../credential/key-text.ts';
import { isPlainKey, MAX_KEY_BYTES } from '../credential/read.ts';
import { parseExpirationDate } from '../keys/expiration.ts';

/** Digests are fast to compute, so whoever stole them would find a shorter key by trying. */
const MIN_KEY_LENGTH = 16;

/** What is sent of a line; or why it cannot be. */
export type Prepared = { readonly line: object } | { readonly problem: string };

/**
 * A line with the text of a key gets its digest in place of the text, here, before anything leaves this process. Other
 * lines are as they are. Problems never quote the text.
 */
export function prepareLine(value: object, digestsOf: Digester): Prepared {
  if (!('key' in value)) return { line: value };
  const { key, expiration, ...rest } = value as { key: unknown; expiration?: unknown };
  const problem =
    problemOf(key) ?? ('id' in rest || 'digest' in rest ? 'has a key and an id or a digest: remove one' : undefined);
  if (typeof key !== 'string' || problem !== undefined) return { problem: problem ?? 'has no key' };
  const { digest, alternates } = digestsOf(key);
  const expiry = readExpiration(expiration);
  if ('problem' in expiry) return expiry;
  return { line: { ...rest, ...expiry, digest, ...(alternates.length > 0 && { alternates }) } };
}

function problemOf(key: unknown): string | undefined {
  if (typeof key !== 'string' || !isPlainKey(key)) {
    return `key: must be 1 to ${MAX_KEY_BYTES} visible ASCII characters, without spaces and commas, or no request could bring it`;
  }
  if (key.length < MIN_KEY_LENGTH) {
    return `key: must have at least ${MIN_KEY_LENGTH} characters, or it could be guessed. Create a new one in its place`;
  }
  if (key.startsWith(KEY_PREFIXES.service)) return 'key: is a service token. Import it by its digest, from an export';
  if (checkKeyText(key) === 'bad') return 'key: looks like one of Keygate, but its checksum is wrong: copy it again';
  return undefined;
}

/** As `--expiration` has it, or in milliseconds as the admin API has it. */
function readExpiration(expiration: unknown): { readonly expiresAt?: unknown } | { readonly problem: string } {
  if (expiration === undefined) return {};
  if (typeof expiration !== 'string') return { expiresAt: expiration };
  const result = parseExpirationDate(expiration);
  return 'problem' in result ? { problem: `expiration: ${result.problem}` } : { expiresAt: result.expiresAt };
}
