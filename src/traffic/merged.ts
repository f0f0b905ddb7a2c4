import { persistentOf } from './refused-sources.ts';
import type { RefusedSource } from './refused-sources.ts';
import type { Outcome, TrafficView } from './traffic.ts';

/** What one of several processes tells of its traffic, as it may be sent to another process. */
export interface ToldTraffic {
  readonly sinceMs: number;
  readonly outcomes: readonly (readonly [outcome: Outcome, count: number])[];
  readonly refusedSources: readonly RefusedSource[];
}

/** More than anybody looks at: one that is among the first of all may be further down in each. */
export const TOLD_SOURCES = 256;

export function toTold({ sinceMs, outcomes, refusedSources }: TrafficView): ToldTraffic {
  return { sinceMs, outcomes: [...outcomes], refusedSources };
}

/** The traffic of all processes as that of one: requests and rates add up, and who worked anywhere has worked. */
export function mergeTraffic(told: readonly ToldTraffic[], nowMs: number): TrafficView {
  const outcomes = new Map<Outcome, number>();
  const sources = new Map<string, RefusedSource>();
  for (const each of told) {
    for (const [outcome, count] of each.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    for (const source of each.refusedSources) {
      const name = nameOf(source);
      const known = sources.get(name);
      sources.set(name, known === undefined ? source : bothOf(known, source));
    }
  }
  return {
    atMs: nowMs,
    sinceMs: Math.min(nowMs, ...told.map(({ sinceMs }) => sinceMs)),
    outcomes,
    refusedSources: [...sources.values()].toSorted(heaviestFirst),
  };
}

/** What was counted, without those who sent: their like will be seen elsewhere. */
export function countsOf(told: readonly ToldTraffic[]): ToldTraffic {
  return { ...toTold(mergeTraffic(told, Infinity)), refusedSources: [] };
}

/** The heaviest of those that are refused again and again, and now. */
export function persistentIn({ refusedSources, atMs }: TrafficView, most: number): RefusedSource[] {
  return persistentOf(refusedSources, atMs).slice(0, most);
}

function nameOf({ reason, peer, userAgent, keyId, fingerprint }: RefusedSource): string {
  return JSON.stringify([reason, peer, userAgent, keyId, fingerprint]);
}

function bothOf(a: RefusedSource, b: RefusedSource): RefusedSource {
  const workedAtMs = Math.max(a.workedAtMs ?? 0, b.workedAtMs ?? 0);
  return {
    ...a,
    perSecond: a.perSecond + b.perSecond,
    count: a.count + b.count,
    firstAtMs: Math.min(a.firstAtMs, b.firstAtMs),
    lastAtMs: Math.max(a.lastAtMs, b.lastAtMs),
    workedAtMs: workedAtMs === 0 ? undefined : workedAtMs,
  };
}

/** Those that worked come first. */
function heaviestFirst(a: RefusedSource, b: RefusedSource): number {
  const [aWorked, bWorked] = [a.workedAtMs !== undefined, b.workedAtMs !== undefined];
  return aWorked === bWorked ? b.perSecond - a.perSecond : Number(bWorked) - Number(aWorked);
}
