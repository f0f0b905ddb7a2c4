import { parseExpirationDate } from '../keys/expiration.ts';
import type { CliCommand } from './cli-command.ts';
import { invalidArgument } from './command.ts';
import { UsageError } from './errors.ts';

/** An id as the lists show it: an int64, so it stays text. */
export function parseId(text: string, names = '-i, --id'): string {
  if (/^[0-9]{1,19}$/.test(text)) return text;
  throw invalidArgument(text, names, 'it must be the number that the list shows');
}

/** The id that a command is about: given as a flag or, as the guides of StackState write it, as the only operand. */
export function onlyId(
  command: CliCommand,
  { id: flag }: { readonly id?: string },
  operands: readonly string[],
): string {
  const given = flag === undefined ? operands : [flag, ...operands];
  const [id, ...others] = [...new Set(given.map((each) => parseId(each)))];
  if (id !== undefined && others.length === 0) return id;
  throw new UsageError(`one id is wanted, not ${given.join(' and ')}`, { duringParse: true, command });
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

/** The expiration that something is to have from now on; `none` is null: it does not expire any more. */
export function parseNewExpiration(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  return text === 'none' ? null : parseExpiration(text);
}

/** Always in UTC, as it was entered: in local time, the day would be off by one west of Greenwich. */
export function formatExpiration(epochMs: number | undefined): string {
  return epochMs === undefined ? '' : new Date(epochMs).toISOString().slice(0, 10);
}

/** A time to the second, in UTC as days are. */
export function formatTime(epochMs: number): string {
  return new Date(epochMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.[0-9]+Z$/, ' UTC');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** In the largest unit that fits, as people read it. */
export function formatBytes(bytes: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const amount = bytes / 1_024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${BYTE_UNITS[power]}`;
}

const DURATION_UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, from a number and its unit. */
export function parseDuration(text: string, names: string): number {
  const [, amount, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  const unitMs = DURATION_UNITS[unit];
  if (unitMs !== undefined) return Number(amount) * unitMs;
  throw invalidArgument(text, names, 'it must be a number with its unit, s, m, h or d, such as 24h');
}

/** A whole number from 1 on. */
export function parseCount(text: string, names: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw invalidArgument(text, names, 'it must be a number from 1 to 999999');
}

/** Like `collectList`, for a list that may be made empty: `none` by itself is no entry. */
export function collectOrNone(text: string, previous: readonly string[] = []): string[] {
  return text === 'none' ? [] : collectList(text, previous);
}

/** For a flag that may be repeated, each time with a comma-separated list. */
export function collectList(text: string, previous: readonly string[] = []): string[] {
  const items = text.split(',').map((item) => item.trim());
  return [...previous, ...items.filter((item) => item !== '')];
}
