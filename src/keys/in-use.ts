import { MAX_SOURCES, SOURCES_KEPT_MS } from '../store/usage-port.ts';
import type { KeyUsage } from '../store/usage-port.ts';
import { KIND_NAMES, stateOf } from './record.ts';
import type { KeyRecord } from './record.ts';
import { KeyServiceError } from './service-error.ts';

/** A key that was used within this time counts as in use. */
const IN_USE_MS = 3_600_000;
/** As many addresses are named; of the others it is said how many there are. */
const MAX_NAMED = 5;

/**
 * Throws if deleting this key would cut somebody off: if it works and was used within the last hour, as far as gateways
 * have told. A key that is refused already, because it is disabled or dead, cuts off nobody.
 */
export function mustNotBeInUse(record: KeyRecord, usage: KeyUsage | undefined, nowMs: number): void {
  if (!mayBeCutOff(record, nowMs) || usage === undefined || !wasUsedLately(usage, nowMs)) return;
  const instead =
    record.replacedBy === undefined ? 'Rotate it' : `Move its senders to its successor ${record.replacedBy} first`;
  throw new KeyServiceError(
    'in_use',
    `The ${KIND_NAMES[record.kind]} ${record.id} was used ${ago(nowMs - usage.lastUsedAt)} by ${senders(usage)}. ` +
      `${instead}, or delete it all the same with --force (force=true in the admin API).`,
  );
}

/** Whether it works now: what is refused already, because it is disabled or dead, cuts off nobody. */
export function mayBeCutOff(record: KeyRecord, nowMs: number): boolean {
  const state = stateOf(record, nowMs);
  return state === 'active' || state === 'retiring';
}

export function wasUsedLately(usage: KeyUsage | undefined, nowMs: number): boolean {
  return usage !== undefined && usage.lastUsedAt > nowMs - IN_USE_MS;
}

/** Without the senders of more than an hour ago. */
export function recentUsage(usage: KeyUsage, nowMs: number): KeyUsage {
  return { ...usage, sources: usage.sources.filter(({ lastUsedAt }) => lastUsedAt > nowMs - SOURCES_KEPT_MS) };
}

function senders({ sources }: KeyUsage): string {
  if (sources.length === 0) return 'an unknown sender';
  const named = sources.slice(0, MAX_NAMED).map(({ address }) => address);
  const unnamed = sources.length - named.length;
  const count = sources.length >= MAX_SOURCES ? `${MAX_SOURCES} sources or more` : plural(sources.length, 'source');
  return `${count} (${named.join(', ')}${unnamed > 0 ? ` and ${unnamed} more` : ''})`;
}

const UNITS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
] as const;

/** In the largest unit that fits. Clocks differ, so it may have been in the future. */
export function ago(elapsedMs: number): string {
  const [unitMs, unit] = UNITS.find(([ms]) => elapsedMs >= ms) ?? [1, ''];
  return unit === '' ? 'just now' : `${plural(Math.floor(elapsedMs / unitMs), unit)} ago`;
}

/** The same in a column of a table: "5m ago". */
export function shortAgo(elapsedMs: number): string {
  const [unitMs, unit] = UNITS.find(([ms]) => elapsedMs >= ms) ?? [1, ''];
  return unit === '' ? 'just now' : `${Math.floor(elapsedMs / unitMs)}${unit.slice(0, 1)} ago`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
