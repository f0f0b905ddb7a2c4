import { parseExpirationDate } from '../keys/expiration.ts';
import { invalidArgument } from './command.ts';

/** An id as the lists show it: an int64, so it stays text. */
export function parseId(text: string): string {
  if (/^[0-9]{1,19}$/.test(text)) return text;
  throw invalidArgument(text, '-i, --id', 'it must be the number that the list shows');
}

/** Milliseconds since the epoch. */
export function parseExpiration(text: string): number {
  const result = parseExpirationDate(text);
  if ('expiresAt' in result) return result.expiresAt;
  // The layout in StackState's own words, which users search for; then in plain ones.
  throw invalidArgument(
    text,
    '--expiration',
    `invalid time format \`${text}\` must be one of: \`2006-01-02\` (it ${result.problem})`,
  );
}

/** Always in UTC, as it was entered: in local time, the day would be off by one west of Greenwich. */
export function formatExpiration(epochMs: number | undefined): string {
  return epochMs === undefined ? '' : new Date(epochMs).toISOString().slice(0, 10);
}

/** For a flag that may be repeated, each time with a comma-separated list. */
export function collectList(text: string, previous: readonly string[] = []): string[] {
  const items = text.split(',').map((item) => item.trim());
  return [...previous, ...items.filter((item) => item !== '')];
}
