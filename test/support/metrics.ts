import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Metrics, MetricsOptions } from '../../src/telemetry/metrics.ts';

/** Those of a process in which nothing goes on, but for what a test says of it. */
export function newMetrics(options: Partial<MetricsOptions> = {}): Metrics {
  return createMetrics({
    version: '1.2.3',
    cacheSizes: () => ({ known: 0, unknown: 0 }),
    refusedSources: () => [],
    heldBytes: () => 0,
    ...options,
  });
}
