import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { CanaryRound } from '../replica/canary.ts';
import type { ReplicaObserver } from '../replica/replica.ts';
import type { Log } from './log.ts';

/** Seconds: a millisecond or two as a rule; 50 ms is the promise; above that, something is cut. */
const PROPAGATION_BUCKETS = [5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 3.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60];

export type ReplicaMetrics = ReturnType<typeof createReplicaMetrics>;

/** How fast changes of keys come true, on this replica and everywhere. */
export function createReplicaMetrics(registers: Registry[]) {
  const propagation = new Histogram({
    name: 'keygate_change_propagation_seconds',
    help: 'From a change of a key until the store had heard that it is applied here, both by the clock of the store.',
    buckets: PROPAGATION_BUCKETS,
    registers,
  });
  const position = new Gauge({
    name: 'keygate_feed_position',
    help: 'The number of the last change that this replica has applied and acknowledged.',
    registers,
  });
  const canaryRounds = new Counter({
    name: 'keygate_canary_rounds_total',
    help: 'Canary keys that were made and revoked, by outcome: kept, broken or unmeasured.',
    labelNames: ['outcome'],
    registers,
  });
  const canary = new Histogram({
    name: 'keygate_canary_seconds',
    help: 'From the revocation of a canary key until this replica refused it (own), or all had applied it (everywhere).',
    labelNames: ['where'],
    buckets: PROPAGATION_BUCKETS,
    registers,
  });
  const canaryLastKept = new Gauge({
    name: 'keygate_canary_last_kept_timestamp_seconds',
    help: 'When a canary key was last found to be refused in time; 0 before the first one.',
    registers,
  });
  for (const outcome of ['kept', 'broken', 'unmeasured'] as const) canaryRounds.inc({ outcome }, 0);

  return {
    propagated: (seconds: number): void => propagation.observe(seconds),
    acknowledged: (change: number): void => position.set(change),
    canaryRound(round: CanaryRound): void {
      canaryRounds.inc({ outcome: round.outcome });
      if (round.outcome !== 'kept') return;
      canary.observe({ where: 'own' }, round.ownSeconds);
      canary.observe({ where: 'everywhere' }, round.everywhereSeconds);
      canaryLastKept.setToCurrentTime();
    },
  } satisfies ReplicaObserver & { canaryRound: (round: CanaryRound) => void };
}

/** A broken promise is for an operator to know at once; that the store is away is told elsewhere. */
export function canaryObserver(metrics: ReplicaMetrics, log: Log): (round: CanaryRound) => void {
  return (round) => {
    metrics.canaryRound(round);
    if (round.outcome === 'broken') log('error', 'a change of a key does not come true in time', { cause: round.why });
    if (round.outcome === 'unmeasured') log('debug', 'the canary could not measure', { cause: round.why });
  };
}
