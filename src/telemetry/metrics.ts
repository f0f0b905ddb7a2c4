import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Protocol, RequestReport } from '../plane/plane.ts';
import { REASONS } from '../verdict/reasons.ts';
import { createReplicaMetrics } from './replica-metrics.ts';

/** Seconds: a decision from memory takes microseconds, one that asks the store up to 150 ms. */
const DECISION_BUCKETS = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.15, 0.25,
];
const UPSTREAM_BUCKETS = [1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STORE_BUCKETS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1];

export interface MetricsOptions {
  readonly version: string;
  /** Read at each scrape. */
  readonly cacheSizes: () => { readonly known: number; readonly unknown: number };
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * All that Prometheus sees, on a registry of its own. Every label has a closed set of values: never a key, a name, a path
 * or an address. docs/metrics.md describes each.
 */
export function createMetrics({ version, cacheSizes }: MetricsOptions) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Counter({
    name: 'keygate_requests_total',
    help: 'Requests by how they ended. verdict is allow, deny, undecided or cancelled; reason is "none" unless refused.',
    labelNames: ['signal', 'protocol', 'verdict', 'reason'],
    registers,
  });
  const requestBytes = new Counter({
    name: 'keygate_request_bytes_total',
    help: 'Bytes of request bodies taken from senders, as sent.',
    labelNames: ['signal', 'protocol'],
    registers,
  });
  const responseBytes = new Counter({
    name: 'keygate_response_bytes_total',
    help: 'Bytes of response bodies relayed from the collector.',
    labelNames: ['signal', 'protocol'],
    registers,
  });
  const inFlight = new Gauge({
    name: 'keygate_requests_in_flight',
    help: 'Requests that have begun and not ended.',
    labelNames: ['protocol'],
    registers,
  });
  const connections = new Gauge({
    name: 'keygate_connections',
    help: 'Open connections of each data port.',
    labelNames: ['port'],
    registers,
  });
  const decision = new Histogram({
    name: 'keygate_decision_seconds',
    help: 'Time from the head of a request to its verdict.',
    labelNames: ['protocol'],
    buckets: DECISION_BUCKETS,
    registers,
  });
  const upstream = new Histogram({
    name: 'keygate_upstream_seconds',
    help: 'Time from sending a request on to the answer of the collector.',
    labelNames: ['protocol'],
    buckets: UPSTREAM_BUCKETS,
    registers,
  });
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
  const cacheHits = new Counter({
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
  const cacheShed = new Counter({
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

  return {
    registry,
    replica: createReplicaMetrics(registers),
    upstreamAddresses,
    upstreamEjections,
    upstreamConnections,
    cacheHits,
    cacheMisses,
    cacheShed,
    cacheEvictions,
    snapshotLoads,
    snapshotWrites,
    snapshotWrittenAt,
    storeReads,
    storeUp,
    feedUp,
    usageWrites,
    usageDropped,
    storeEvicts,
    breakerOpen,
    draining,
    started(protocol: Protocol): void {
      inFlight.inc({ protocol });
    },
    connections(port: Protocol, open: number): void {
      connections.set({ port }, open);
    },
    ended(report: RequestReport): void {
      const { protocol, route } = report;
      const signal = report.signal ?? route ?? 'none'; // a route without signals stands for what it carries
      inFlight.dec({ protocol });
      requests.inc({ signal, protocol, ...toLabels(report.outcome) });
      requestBytes.inc({ signal, protocol }, report.receivedBytes);
      responseBytes.inc({ signal, protocol }, report.sentBytes);
      decision.observe({ protocol }, report.decisionSeconds);
      if (report.upstreamSeconds !== undefined) upstream.observe({ protocol }, report.upstreamSeconds);
    },
  };
}

function toLabels(outcome: RequestReport['outcome']): { verdict: string; reason: string } {
  switch (outcome) {
    case 'accepted':
      return { verdict: 'allow', reason: 'none' };
    case 'cancelled':
      return { verdict: 'cancelled', reason: 'none' };
    default:
      return { verdict: REASONS[outcome].verdict, reason: outcome };
  }
}
