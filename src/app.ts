import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createAdminServer } from './admin-server.ts';
import { createBudgets } from './budget/budgets.ts';
import { createKeyCache } from './cache/key-cache.ts';
import { watchFromSnapshot } from './cache/warm-start.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import { createCredentialReader } from './credential/read.ts';
import { createDataPath } from './data-path.ts';
import { createGate } from './gate.ts';
import { digesterOf, sealerOf } from './key-options.ts';
import { createCanaryKeys } from './keys/canary-keys.ts';
import { createReceiverKeys, withReceiverKeys } from './keys/receiver-keys.ts';
import { withOwners } from './keys/with-owners.ts';
import { createKeyService } from './keys/service.ts';
import type { KeyService } from './keys/service.ts';
import { closeServer, formatAddress, listen } from './listening.ts';
import { openSnapshot } from './open-snapshot.ts';
import { certificateExpiries } from './plane-options.ts';
import type { BoundAddress } from './plane/plane.ts';
import { createAnswerer } from './replica/answers.ts';
import { createMembership } from './replica/membership.ts';
import { announcing } from './store/announcing.ts';
import { openStore } from './store/open.ts';
import type { Watch } from './store/port.ts';
import { createStoreMonitor } from './store-monitor.ts';
import { auditLog, cacheObserver, storeObserver, upstreamObserver, usageObserver } from './telemetry/observers.ts';
import type { Log } from './telemetry/log.ts';
import { createKeyMetrics } from './telemetry/key-metrics.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { canaryObserver } from './telemetry/replica-metrics.ts';
import { createOpsServer } from './telemetry/ops-server.ts';
import { createReportLog } from './telemetry/refusal-log.ts';
import { createTraffic } from './traffic/traffic.ts';
import { createUsageRecorder } from './usage/usage.ts';
import { VERSION } from './version.ts';

export interface AppAddresses {
  readonly grpc: BoundAddress;
  readonly http: BoundAddress;
  readonly admin: BoundAddress;
  readonly ops: BoundAddress;
}

export interface App {
  /** The keys it checks, for whoever runs in the same process. */
  readonly keys: KeyService;
  /** Opens every port, or none: rejects if one cannot be opened. */
  start(): Promise<AppAddresses>;
  /** Readiness goes red, senders are told to go elsewhere, requests in flight finish; then everything closes. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** A lookup is answered within this, whatever the store does, so that 503 comes while the sender still waits. */
const LOOKUP_SLACK_MS = 20;
const PRUNE_INTERVAL_MS = 3_600_000;

/** The composition root: the only place that creates clients and servers, all from one completed configuration. */
export async function createApp(config: Config, log: Log, { now, elapsed }: Clock = SYSTEM_CLOCK): Promise<App> {
  const replicaName = config.replica.name ?? `${hostname()}:${process.pid}`;
  const digest = digesterOf(config.keys);
  const metrics = createMetrics({
    version: VERSION,
    cacheSizes: () => cache.sizes(),
    refusedSources: () => traffic.persistent(config.ops.refusedSources),
  });
  for (const { use, atMs } of certificateExpiries(config)) metrics.certificateExpiry.set({ use }, atMs / 1_000);
  const store = openStore(config.store, { observe: storeObserver(metrics, log) });
  const cache = createKeyCache({
    find: (digests) => store.find(digests),
    now: elapsed,
    maxKeys: config.cache.maxKeys,
    maxUnknown: config.cache.maxUnknown,
    freshForMs: config.cache.freshFor,
    staleForMs: config.cache.staleFor,
    unknownForMs: config.cache.unknownFor,
    maxLookups: config.cache.maxLookups,
    maxUnknownLookups: config.cache.maxUnknownLookups,
    lookupTimeoutMs: (config.store.redis?.commandTimeout ?? 100) + LOOKUP_SLACK_MS,
    observe: cacheObserver(metrics, log),
  });
  const snapshot = openSnapshot({ config, cache, metrics, log, now });
  const keys = createKeyService({
    store: announcing(store, cache),
    digester: digest,
    now,
    random: randomBytes,
    tombstoneMs: config.store.tombstones,
    sealer: sealerOf(config.keys),
    audited: auditLog(log),
  });

  const usage = createUsageRecorder({
    record: (uses) => store.usage.record(uses),
    now,
    intervalMs: config.usage.interval,
    observe: usageObserver(metrics, log),
  });

  const receiverKeys = createReceiverKeys(readableReceiverKeys(config), digest);
  const budgets = createBudgets({ now: elapsed, maxKeys: config.cache.maxKeys });
  const lookup = withOwners(withReceiverKeys(receiverKeys, cache.lookup));
  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    digest,
    lookup,
    charge: budgets.charge,
    now,
  });

  const membership = createMembership({
    store,
    cache,
    answerTo: createAnswerer({
      configured: receiverKeys,
      peek: cache.peek,
      find: (digests) => store.find(digests),
      now,
    }),
    name: replicaName,
    version: VERSION,
    canary: {
      keys: createCanaryKeys({ store, digester: digest, now, random: randomBytes, by: 'keygate' }),
      judge: async (text) => (await gate.judgeKey(text, { to: 'ask' })).decision,
      intervalMs: config.canary.interval,
      boundMs: config.cache.freshFor,
    },
    observe: metrics.replica,
    canaryRound: canaryObserver(metrics.replica, log),
  });
  const reportLog = createReportLog(log, now);
  const traffic = createTraffic(now);
  const keyMetrics = createKeyMetrics({ maxKeys: config.ops.keySeries, now });
  const plane = await createDataPath({
    config,
    gate,
    debit: budgets.debit,
    observer: {
      started: metrics.started,
      connections: metrics.connections,
      ended(report) {
        metrics.ended(report);
        if (report.outcome === 'accepted' && report.key) usage.used(report.key, report.peer, report.receivedBytes);
        traffic.note(report);
        keyMetrics.note(report);
        reportLog(report);
      },
    },
    budgetSpent: (budget, how) => metrics.budgetsSpent.inc({ budget, how }),
    observe: (protocol) => upstreamObserver(metrics, log, protocol),
    now,
  });

  const monitor = createStoreMonitor({
    ping: () => store.ping(),
    changed(state, cause) {
      metrics.storeUp.set(state === 'up' ? 1 : 0);
      if (state === 'up') log('info', 'the key store answers');
      else log('warn', 'the key store does not answer; known keys go on being served', { cause: cause?.message });
    },
  });

  const admin = createAdminServer({
    digest,
    lookup,
    service: keys,
    store,
    traffic: { look: traffic.look, gateway: replicaName },
    used: (caller, address) => usage.used(caller, address, 0),
    now,
    log,
  });

  let state: 'starting' | 'serving' | 'draining' = 'starting';
  const ops = createOpsServer({
    async *metrics() {
      yield `${await metrics.registry.metrics()}\n`;
      yield* keyMetrics.text();
    },
    notReady() {
      if (state !== 'serving') return state;
      // An outage later on takes no replica out of service: it serves what it knows. One that never reached its store
      // knows nothing, unless there was a snapshot.
      const knowsKeys = monitor.everUp() || config.keys.receiverKeys.length > 0 || cache.sizes().known > 0;
      return knowsKeys ? undefined : 'the key store has not answered since this replica started';
    },
  });

  let watch: Watch | undefined;
  let pruning: NodeJS.Timeout | undefined;

  async function close(): Promise<void> {
    clearInterval(pruning);
    snapshot?.stop();
    monitor.stop();
    await plane.close();
    await membership.stop();
    await Promise.all([closeServer(admin), closeServer(ops), watch?.close()]);
    await usage.close();
    await store.close();
  }

  async function prune(): Promise<void> {
    try {
      const count = await keys.prune();
      if (count > 0) log('info', 'forgot keys that died long ago', { count });
    } catch (error) {
      log('debug', 'old keys could not be pruned; this is tried again', { cause: String(error) });
    }
  }

  return {
    keys,
    async start() {
      try {
        watch = await watchFromSnapshot(store, membership.observer, cache, snapshot);
        await monitor.start();
        const [adminAddress, opsAddress] = await Promise.all([
          listen(admin, config.admin.address),
          listen(ops, config.ops.address),
        ]);
        const addresses: AppAddresses = { ...(await plane.listen()), admin: adminAddress, ops: opsAddress };
        membership.start();
        pruning = setInterval(() => void prune(), PRUNE_INTERVAL_MS).unref();
        state = 'serving';
        log('info', 'keygate is serving', {
          version: VERSION,
          address_grpc: formatAddress(addresses.grpc),
          address_http: formatAddress(addresses.http),
          address_admin: formatAddress(addresses.admin),
          address_ops: formatAddress(addresses.ops),
          store: config.store.redis === null ? `sqlite ${config.store.sqlite.path}` : 'redis',
        });
        return addresses;
      } catch (error) {
        await close();
        throw error;
      }
    },
    async drain() {
      state = 'draining';
      metrics.draining.set(1);
      log('info', 'draining: no new connections, requests in flight are finished');
      await plane.drain(config.limits.drainTimeout);
      await snapshot?.flush();
      await close();
      log('info', 'drained');
    },
    close,
  };
}

function readableReceiverKeys(config: Config) {
  return config.keys.receiverKeys.map(({ name, key, tenant }) => {
    if (key === null) throw new Error(`the receiver key "${name}" was not read from its file`);
    return { name, key, tenant };
  });
}
