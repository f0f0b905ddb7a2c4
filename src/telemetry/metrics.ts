import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Pool, ShedCause } from '../cache/observer.ts';
import type { RefusedSource } from '../traffic/refused-sources.ts';
import type { LineBound } from './bounded-log.ts';
import { createConnectionMetrics } from './connection-metrics.ts';
import { createReloadMetrics } from './reload-metrics.ts';
import { createReplicaMetrics } from './replica-metrics.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { perKey, talliedCounter } from './tally.ts';
import { createWorkerMetrics } from './worker-metrics.ts';

const STORE_BUCKETS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1];

export interface MetricsOptions {
  readonly version: string;
  /** Read at each scrape. */
  readonly cacheSizes: () => { readonly known: number; readonly unknown: number };
  readonly refusedSources: () => readonly RefusedSource[];
  readonly heldBytes: () => number;
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * What Prometheus sees of this process, on a registry of its own. Every label has a closed set of values, never a key, a name, a path or an
 * address; but for the few senders that are refused most, of whom ops.refusedSources says how many. docs/metrics.md describes each.
 */
export function createMetrics({ version, cacheSizes, refusedSources, heldBytes }: MetricsOptions) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = createRequestMetrics(registers);
  const connections = createConnectionMetrics(registers, heldBytes);
  const upstreamAddresses = new Gauge({
    name: 'keygate_upstream_addresses',
    help: 'Addresses of collectors: healthy, or ejected because requests failed there.',
    labelNames: ['protocol', 'state'],
    registers,
  });
  const upstreamEjections = new Counter({
    name: 'keygate_upstream_ejections_total',
    help: 'How often an address of a collector was ejected.',
    labelNames: ['protocol'],
    registers,
  });
  const upstreamConnections = new Gauge({
    name: 'keygate_upstream_connections',
    help: 'Open connections to collectors.',
    labelNames: ['protocol'],
    registers,
  });
  const budgetsSpent = new Counter({
    name: 'keygate_budget_spent_total',
    help: 'Connections of senders that used up a budget: warned (asked to go) or ended.',
    labelNames: ['budget', 'how'],
    registers,
  });
  new Gauge({
    name: 'keygate_refused_source_requests_per_second',
    help: 'Who is refused most, over the last minutes; worked says whether the same key or program was let through within a day.',
    labelNames: ['reason', 'peer', 'key_id', 'fingerprint', 'user_agent', 'worked'],
    registers,
    collect() {
      this.reset(); // those that are no longer among the heaviest are not shown
      for (const { reason, peer, keyId, fingerprint, userAgent, workedAtMs, perSecond } of refusedSources()) {
        const worked = workedAtMs === undefined ? 'false' : 'true';
        this.set(
          {
            reason,
            peer,
            key_id: keyId ?? '',
            fingerprint: fingerprint ?? '',
            user_agent: userAgent ?? '',
            worked,
          },
          perSecond,
        );
      }
    },
  });
  const cacheHits = talliedCounter({
    name: 'keygate_cache_hits_total',
    help: 'Keys answered from memory, by pool, and whether the answer was older than freshFor.',
    labelNames: ['pool', 'aged'],
    registers,
  });
  const cacheMisses = new Counter({
    name: 'keygate_cache_misses_total',
    help: 'Keys that had to be looked up in the store.',
    registers,
  });
  const cacheShed = talliedCounter({
    name: 'keygate_cache_shed_total',
    help: 'Keys that were not looked up: too many lookups were under way, had found nothing, or failed; their senders got 503.',
    labelNames: ['cause'],
    registers,
  });
  const cacheEvictions = new Counter({
    name: 'keygate_cache_evictions_total',
    help: 'Keys pushed out of memory because their pool was full.',
    labelNames: ['pool'],
    registers,
  });
  new Gauge({
    name: 'keygate_cache_entries',
    help: 'Keys in memory, by pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      const { known, unknown } = cacheSizes();
      this.set({ pool: 'known' }, known);
      this.set({ pool: 'unknown' }, unknown);
    },
  });
  const snapshotLoads = new Counter({
    name: 'keygate_snapshot_loads_total',
    help: 'Attempts to read the snapshot of known keys at the start, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const snapshotWrites = new Counter({
    name: 'keygate_snapshot_writes_total',
    help: 'Attempts to write the snapshot of known keys: written or failed.',
    labelNames: ['outcome'],
    registers,
  });
  const snapshotWrittenAt = new Gauge({
    name: 'keygate_snapshot_written_timestamp_seconds',
    help: 'When this process last wrote the snapshot of known keys, in seconds since the epoch; 0 if it has not.',
    registers,
  });
  const storeReads = new Histogram({
    name: 'keygate_store_lookup_seconds',
    help: 'Lookups in the store by outcome: found, absent, or the fault.',
    labelNames: ['outcome'],
    buckets: STORE_BUCKETS,
    registers,
  });
  const storeUp = new Gauge({
    name: 'keygate_store_up',
    help: 'Whether the store answers and is ours (1) or not (0).',
    registers,
  });
  const feedUp = new Gauge({
    name: 'keygate_feed_up',
    help: 'Whether changes of keys reach this replica as they are made (1) or not (0).',
    registers,
  });
  const feedCurrentAt = new Gauge({
    name: 'keygate_feed_current_timestamp_seconds',
    help: 'All changes of keys made until then are applied here, by the clock of this gateway; 0 before the feed was read.',
    registers,
  });
  const usageWrites = new Counter({
    name: 'keygate_usage_writes_total',
    help: 'Batches of the use of keys that were written to the store, or failed.',
    labelNames: ['outcome'],
    registers,
  });
  const usageDropped = new Counter({
    name: 'keygate_usage_dropped_requests_total',
    help: 'Requests that are missing in the use of their keys, since there was no room to note them.',
    registers,
  });
  const storeEvicts = new Gauge({
    name: 'keygate_store_evicts',
    help: 'Whether Redis deletes keys when its memory is full (1) or not (0).',
    registers,
  });
  const breakerOpen = new Gauge({
    name: 'keygate_store_breaker_open',
    help: 'Whether lookups are withheld from a store that failed again and again, but for one probe at a time (1) or not (0).',
    registers,
  });
  const certificateExpiry = new Gauge({
    name: 'keygate_certificate_expiry_timestamp_seconds',
    help: 'When a certificate of this gateway ends: of a port, or the one shown to the collector (upstream).',
    labelNames: ['use'],
    registers,
  });
  const linesDropped = talliedCounter({
    name: 'keygate_log_lines_dropped_total',
    help: 'Lines that were left out of the log, by the bound that did it: of one source, of all refusals, of requests or of a message.',
    labelNames: ['bound'],
    registers,
  });
  const draining = new Gauge({
    name: 'keygate_draining',
    help: 'Whether this replica is shutting down (1) or not (0).',
    registers,
  });
  new Gauge({
    name: 'keygate_build_info',
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);

  const freshHits = perKey((pool: Pool) => cacheHits({ pool, aged: 'false' }));
  const agedHits = perKey((pool: Pool) => cacheHits({ pool, aged: 'true' }));
  const droppedBy = perKey((bound: LineBound) => linesDropped({ bound }));
  const shedFor = perKey((cause: ShedCause) => cacheShed({ cause }));

  return {
    registry,
    replica: createReplicaMetrics(registers),
    reloads: createReloadMetrics(registers),
    workers: createWorkerMetrics(registers),
    upstreamAddresses,
    upstreamEjections,
    upstreamConnections,
    budgetsSpent,
    cacheMisses,
    cacheEvictions,
    snapshotLoads,
    snapshotWrites,
    snapshotWrittenAt,
    storeReads,
    storeUp,
    feedUp,
    feedCurrentAt,
    usageWrites,
    usageDropped,
    storeEvicts,
    breakerOpen,
    draining,
    started: requests.started,
    ended: requests.ended,
    cacheHit(pool: Pool, aged: boolean): void {
      (aged ? agedHits : freshHits)(pool).count++;
    },
    cacheShed(cause: ShedCause): void {
      shedFor(cause).count++;
    },
    /** All that there are now. */
    certificatesEnd(all: readonly { readonly use: string; readonly atMs: number }[]): void {
      certificateExpiry.reset();
      for (const { use, atMs } of all) certificateExpiry.set({ use }, atMs / 1_000);
    },
    connections: connections.connections,
    turnedAway: connections.turnedAway,
    linesDropped(bound: LineBound, lines: number): void {
      droppedBy(bound).count += lines;
    },
  };
}
