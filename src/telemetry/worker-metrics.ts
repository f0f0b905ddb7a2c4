import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Why a worker was replaced. */
export const WORKER_ENDS = ['killed', 'crashed', 'hung', 'unable'] as const;
export type WorkerEnd = (typeof WORKER_ENDS)[number];

/** The processes that serve senders, when there are several. */
export function createWorkerMetrics(registers: Registry[]) {
  const running = new Gauge({
    name: 'keygate_workers',
    help: 'Processes that serve senders.',
    registers,
  });
  const restarts = new Counter({
    name: 'keygate_worker_restarts_total',
    help: 'Workers that ended though nobody had told them to, and were replaced: killed, crashed, hung or unable to start.',
    labelNames: ['why'],
    registers,
  });
  const unanswered = new Counter({
    name: 'keygate_worker_unanswered_total',
    help: 'Times that a worker did not answer in time: to a scrape, for which its last figures stood in, or to a reload.',
    registers,
  });
  // From the start, so that the first one is seen as an increase.
  for (const why of WORKER_ENDS) restarts.inc({ why }, 0);

  return {
    running: (count: number): void => running.set(count),
    replaced: (why: WorkerEnd): void => restarts.inc({ why }),
    unanswered: (): void => unanswered.inc(),
  };
}
