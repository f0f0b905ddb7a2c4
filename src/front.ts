import { createBudgets } from './budget/budgets.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import { createCredentialReader } from './credential/read.ts';
import { createDataPath } from './data-path.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import type { KnownKeys } from './known-keys.ts';
import { certificateExpiries } from './plane-options.ts';
import type { Plane, PlaneObserver } from './plane/plane.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { upstreamObserver } from './telemetry/observers.ts';
import { createReportLog } from './telemetry/refusal-log.ts';
import { createTraffic } from './traffic/traffic.ts';
import type { Traffic } from './traffic/traffic.ts';

export interface FrontOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly known: Pick<KnownKeys, 'digest' | 'lookup' | 'usage'>;
  /** Notes what each key sends. */
  readonly noteKey: PlaneObserver['ended'];
}

/** What senders meet: the gate, the data path, and what is noted of each request. */
export interface Front {
  readonly gate: Gate;
  readonly plane: Plane;
  readonly traffic: Traffic;
}

export async function createFront({ config, log, metrics, clock, known, noteKey }: FrontOptions): Promise<Front> {
  const { now, elapsed } = clock;
  for (const { use, atMs } of certificateExpiries(config)) metrics.certificateExpiry.set({ use }, atMs / 1_000);
  const budgets = createBudgets({ now: elapsed, maxKeys: config.cache.maxKeys });
  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    digest: known.digest,
    lookup: known.lookup,
    charge: budgets.charge,
    now,
  });
  const reportLog = createReportLog(log, now);
  const traffic = createTraffic(now);
  const plane = await createDataPath({
    config,
    gate,
    debit: budgets.debit,
    observer: {
      started: metrics.started,
      connections: metrics.connections,
      ended(report) {
        metrics.ended(report);
        if (report.outcome === 'accepted' && report.key)
          known.usage.used(report.key, report.peer, report.receivedBytes);
        traffic.note(report);
        noteKey(report);
        reportLog(report);
      },
    },
    budgetSpent: (budget, how) => metrics.budgetsSpent.inc({ budget, how }),
    observe: (protocol) => upstreamObserver(metrics, log, protocol),
    now,
  });
  return { gate, plane, traffic };
}
