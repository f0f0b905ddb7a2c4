import { randomBytes } from 'node:crypto';
import { createKeyCache } from './cache/key-cache.ts';
import { watchFromSnapshot } from './cache/warm-start.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import type { KeyDigest } from './credential/digest.ts';
import { digesterOf, tokensOf } from './key-options.ts';
import { createCanaryKeys } from './keys/canary-keys.ts';
import { createReceiverKeys, withReceiverKeys } from './keys/receiver-keys.ts';
import type { ReceiverKeys } from './keys/receiver-keys.ts';
import { withOwners } from './keys/with-owners.ts';
import { openSnapshot } from './open-snapshot.ts';
import type { Prepare } from './reload.ts';
import { createAnswerer } from './replica/answers.ts';
import { createMembership } from './replica/membership.ts';
import type { MembershipOptions } from './replica/membership.ts';
import { openStore } from './store/open.ts';
import type { Watch } from './store/port.ts';
import { createStoreMonitor } from './store-monitor.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { cacheObserver, feedObserver, storeObserver, usageObserver } from './telemetry/observers.ts';
import { createRepeatedLog } from './telemetry/observing.ts';
import { canaryObserver } from './telemetry/replica-metrics.ts';
import { createUsageRecorder } from './usage/usage.ts';
import { VERSION } from './version.ts';

export interface KnownKeysOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** What this process is called among the replicas. */
  readonly name: string;
  /** What its gate says of a key: the canary tries that out. Absent where there is no gate for senders. */
  readonly judge?: MembershipOptions['canary']['judge'];
  /** Whether this process writes the snapshot, or only reads it. */
  readonly writesSnapshot: boolean;
  /** Hears of keys that the store has given. */
  readonly found?: (digest: KeyDigest) => void;
  /** How many look up the keys of the same senders, and share what they may log of that: 1, if absent. */
  readonly processes?: number;
}

export type KnownKeys = ReturnType<typeof createKnownKeys>;

/** A lookup is answered within this, whatever the store does, so that 503 comes while the sender still waits. */
const LOOKUP_SLACK_MS = 20;

/** All by which this process knows keys: the store and its change feed, the cache, the snapshot, and its place among the replicas. */
export function createKnownKeys({ config, log, metrics, clock, name, judge, ...options }: KnownKeysOptions) {
  const { now, elapsed } = clock;
  const digest = digesterOf(config.keys);
  const store = openStore(config.store, { observe: storeObserver(metrics, log) });
  const cache = createKeyCache({
    async find(digests) {
      const record = await store.find(digests);
      if (record !== undefined) options.found?.(record.digest);
      return record;
    },
    now: elapsed,
    maxKeys: config.cache.maxKeys,
    maxUnknown: config.cache.maxUnknown,
    freshForMs: config.cache.freshFor,
    staleForMs: config.cache.staleFor,
    unknownForMs: config.cache.unknownFor,
    maxLookups: config.cache.maxLookups,
    maxUnknownLookups: config.cache.maxUnknownLookups,
    lookupTimeoutMs: (config.store.redis?.commandTimeout ?? 100) + LOOKUP_SLACK_MS,
    observe: cacheObserver(metrics, createRepeatedLog(log, metrics, options.processes)),
  });
  const snapshot = openSnapshot({ config, cache, metrics, log, now, isWritten: options.writesSnapshot });
  const usage = createUsageRecorder({
    record: (uses) => store.usage.record(uses),
    now,
    intervalMs: config.usage.interval,
    observe: usageObserver(metrics, log),
  });
  let receiverKeys = createReceiverKeys(readableReceiverKeys(config), digest);
  let hasReceiverKeys = config.keys.receiverKeys.length > 0;
  const configured: ReceiverKeys = (digests) => receiverKeys(digests);
  const lookup = withOwners(withReceiverKeys(configured, cache.lookup));

  const membership = createMembership({
    store,
    cache,
    answerTo: createAnswerer({
      configured,
      peek: cache.peek,
      find: (digests) => store.find(digests),
      tokens: tokensOf(config.keys),
      now,
    }),
    name,
    version: VERSION,
    canary: {
      keys: createCanaryKeys({ store, digester: digest, now, random: randomBytes, by: 'keygate' }),
      judge: judge ?? unasked,
      intervalMs: judge === undefined ? 0 : config.canary.interval,
      boundMs: config.cache.freshFor,
    },
    observe: metrics.replica,
    canaryRound: canaryObserver(metrics.replica, log),
  });

  const monitor = createStoreMonitor({
    ping: () => store.ping(),
    changed(state, cause) {
      metrics.storeUp.set(state === 'up' ? 1 : 0);
      if (state === 'up') log('info', 'the key store answers');
      else log('warn', 'the key store does not answer; known keys go on being served', { cause: cause?.message });
    },
  });

  let watch: Watch | undefined;
  return {
    digest,
    store,
    cache,
    lookup,
    usage,
    /** From here on it hears of changes, and knows whether the store answers. */
    async open(): Promise<void> {
      watch = await watchFromSnapshot(store, feedObserver(metrics, now, membership.observer), cache, snapshot);
      await monitor.start();
    },
    /** Tells the other replicas that it is there. */
    join: membership.start,
    /**
     * An outage later on takes no replica out of service: it serves what it knows. One that never reached its store knows nothing,
     * unless there was a snapshot.
     */
    notReady(): string | undefined {
      const knowsKeys = monitor.everUp() || hasReceiverKeys || cache.sizes().known > 0;
      return knowsKeys ? undefined : 'the key store has not answered since this replica started';
    },
    /** For another configuration: a receiver key that it does not have is refused with the next request. */
    prepare: ((next) => {
      const nextKeys = createReceiverKeys(readableReceiverKeys(next), digest);
      return () => {
        receiverKeys = nextKeys;
        hasReceiverKeys = next.keys.receiverKeys.length > 0;
      };
    }) satisfies Prepare,
    flush: async () => snapshot?.flush(),
    async close(): Promise<void> {
      snapshot?.stop();
      monitor.stop();
      await membership.stop();
      await watch?.close();
      await usage.close();
      await store.close();
    },
  };
}

function unasked(): never {
  throw new Error('this process has no gate for senders');
}

function readableReceiverKeys(config: Config) {
  return config.keys.receiverKeys.map(({ name, key, tenant }) => {
    if (key === null) throw new Error(`the receiver key "${name}" was not read from its file`);
    return { name, key, tenant };
  });
}
