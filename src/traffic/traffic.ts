import type { RequestReport } from '../plane/plane.ts';
import { createRefusedSources } from './refused-sources.ts';
import type { Refused, RefusedSource, RefusedSources } from './refused-sources.ts';

export type Outcome = RequestReport['outcome'];

/** What passes this gateway, for whoever looks at it now. */
export interface Traffic extends Pick<RefusedSources, 'takeWorked' | 'workedElsewhere'> {
  /** Each request when it has ended; says whose it was if it was refused. */
  note(report: RequestReport): Refused | undefined;
  look(mostSources: number): TrafficView;
  /** The heaviest of the sources that are refused again and again, and now. */
  persistent(mostSources: number): readonly RefusedSource[];
}

export interface TrafficView {
  readonly atMs: number;
  /** Since when requests were counted. */
  readonly sinceMs: number;
  readonly outcomes: ReadonlyMap<Outcome, number>;
  /** Those that worked come first, then the heaviest. */
  readonly refusedSources: readonly RefusedSource[];
}

/** With `isShared`, other processes serve the same senders. */
export function createTraffic(now: () => number, isShared = false): Traffic {
  const sinceMs = now();
  const outcomes = new Map<Outcome, number>();
  const sources = createRefusedSources(now, isShared);
  return {
    note(report) {
      outcomes.set(report.outcome, (outcomes.get(report.outcome) ?? 0) + 1);
      return sources.note(report);
    },
    look: (mostSources) => ({ atMs: now(), sinceMs, outcomes, refusedSources: sources.top(mostSources) }),
    persistent: sources.persistent,
    takeWorked: sources.takeWorked,
    workedElsewhere: sources.workedElsewhere,
  };
}
