import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * The text of a key: a prefix that says its kind, 32 random base62 characters (190 bits), and 6 base62 characters of the
 * CRC-32 over all that precedes them. The checksum is no secret: it lets a typo or a random spray be refused without a
 * lookup, and it is never taken as proof of anything. The alphabet survives URLs, shells and the percent-decoding of
 * OTEL_EXPORTER_OTLP_HEADERS.
 */
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 32;
const CHECKSUM_LENGTH = 6;

export const KEY_PREFIXES = { ingestion: 'iapikeyok-', service: 'svctok-' } as const;
const PREFIXES = Object.values(KEY_PREFIXES);
export type GeneratedKind = keyof typeof KEY_PREFIXES;

/** Fills a buffer with random bytes; an argument so that tests can be exact. */
export type Random = (size: number) => Buffer;

export function createKeyText(kind: GeneratedKind, random: Random = randomBytes): string {
  const body = KEY_PREFIXES[kind] + randomBase62(RANDOM_LENGTH, random);
  return body + checksum(body);
}

/**
 * `ok` for a key of ours whose checksum holds, `bad` for one of ours that is mistyped, `foreign` for keys without our
 * prefix (Receiver API keys, keys of other systems): those are looked up as they are.
 */
export function checkKeyText(text: string): 'ok' | 'bad' | 'foreign' {
  for (const prefix of PREFIXES) {
    if (!text.startsWith(prefix)) continue;
    if (text.length !== prefix.length + RANDOM_LENGTH + CHECKSUM_LENGTH) return 'bad';
    const body = text.slice(0, -CHECKSUM_LENGTH);
    return text.slice(-CHECKSUM_LENGTH) === checksum(body) ? 'ok' : 'bad';
  }
  return 'foreign';
}

function checksum(body: string): string {
  let value = crc32(body);
  let text = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text = BASE62.charAt(value % 62) + text;
    value = Math.floor(value / 62);
  }
  return text;
}

/** Rejection sampling: bytes of 248 and above would favour the first eight letters. */
function randomBase62(length: number, random: Random): string {
  let text = '';
  while (text.length < length) {
    for (const byte of random(length)) {
      if (byte < 248 && text.length < length) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}
