import { createAuthorizer } from './authorizer/authorizer.ts';
import type { Authorizer } from './authorizer/authorizer.ts';
import { authorizerOptions, authorizerRenewal } from './authz-options.ts';
import { createBudgets } from './budget/budgets.ts';
import type { Budgets } from './budget/budgets.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import { createCredentialReader } from './credential/read.ts';
import { createDataPath } from './data-path.ts';
import type { DataPath } from './data-path.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import { tokensOf } from './key-options.ts';
import type { KnownKeys } from './known-keys.ts';
import { certificateExpiries, planeLimits } from './plane-options.ts';
import type { ReadBytes } from './plane-options.ts';
import type { PlaneObserver } from './plane/plane.ts';
import { createTokenDesk } from './plane/token-desk.ts';
import type { Prepare } from './reload.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { upstreamObserver } from './telemetry/observers.ts';
import type { createObserving } from './telemetry/observing.ts';
import type { Traffic } from './traffic/traffic.ts';

export interface FrontOptions {
  readonly config: Config;
  /** What its files are read with. */
  readonly read: ReadBytes;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly known: Pick<KnownKeys, 'digest' | 'lookup' | 'usage'>;
  /** Notes what each key sends. */
  readonly noteKey: PlaneObserver['ended'];
  readonly observe: typeof createObserving;
  /** Why other proxies should not ask here, if so. */
  readonly notReady: () => string | undefined;
  /** How many serve the same senders: 1, if absent. */
  readonly processes?: number;
}

/** What senders meet: the gate, the data path, and what is noted of each request. Other proxies meet the same gate. */
export interface Front {
  readonly gate: Gate;
  readonly plane: DataPath;
  readonly authorizer: Authorizer;
  /** For another configuration. */
  readonly prepare: Prepare;
  readonly traffic: Traffic;
  readonly budgets: Budgets;
  /** Lets requests in flight finish for this long, then ends the rest. */
  drain(timeoutMs: number): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

export async function createFront(options: FrontOptions): Promise<Front> {
  const { config, read, log, metrics, known, noteKey, processes = 1 } = options;
  const { now, elapsed } = options.clock;
  metrics.certificatesEnd(certificateExpiries(config, read));
  const budgets = createBudgets({ now: elapsed, maxKeys: config.cache.maxKeys, isShared: processes > 1 });
  const tokens = tokensOf(config.keys);
  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    readToken: tokens?.read,
    digest: known.digest,
    lookup: known.lookup,
    charge: budgets.charge,
    now,
  });
  const { acceptedEvery } = config.log;
  const observing = options.observe({ metrics, noteKey, log, now, acceptedEvery, processes });
  const observer: PlaneObserver = {
    ...observing.plane,
    ended(report) {
      if (report.outcome === 'accepted' && report.key) known.usage.used(report.key, report.peer, report.receivedBytes);
      observing.plane.ended(report);
    },
  };
  const plane = await createDataPath({
    config,
    read,
    gate,
    // With former secrets only, tokens end, and there are no new ones.
    desk: tokens && config.keys.tokens.secret !== null ? createTokenDesk(tokens, now) : undefined,
    debit: budgets.debit,
    observer,
    budgetSpent: (budget, how) => metrics.budgetsSpent.inc({ budget, how }),
    observe: (protocol) => upstreamObserver(metrics, observing.log, protocol),
    now,
  });
  const limits = planeLimits(config);
  const authorizer = await createAuthorizer({
    ...authorizerOptions(config, read),
    gate,
    limits,
    observer,
    notReady: options.notReady,
  });
  return {
    gate,
    plane,
    authorizer,
    async drain(timeoutMs) {
      await Promise.all([plane.drain(timeoutMs), authorizer.drain(timeoutMs)]);
    },
    async close() {
      await Promise.all([plane.close(), authorizer.close()]);
      observing.close();
    },
    traffic: observing.traffic,
    budgets,
    prepare(next, readNext) {
      const apply = plane.prepare(next, readNext);
      const renewal = authorizerRenewal(next, readNext);
      const expiries = certificateExpiries(next, readNext);
      return () => {
        apply();
        Object.assign(limits, planeLimits(next));
        authorizer.renew(renewal);
        metrics.certificatesEnd(expiries);
      };
    },
  };
}
