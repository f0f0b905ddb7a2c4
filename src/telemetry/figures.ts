import type { Registry } from 'prom-client';

/** One metric with all its series, as numbers and texts: it may be sent to another process. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly Value[];
}

interface Value {
  /** Of a histogram: its name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export type Figures = readonly Family[];

/** How the gauges of several processes become one. Counters and histograms add up. */
type Rule =
  /** What each has a part of. */
  | 'sum'
  /** What is told by one of them, or is the same in all; or where the worst is the most. */
  | 'max'
  /** Where the worst is the least. */
  | 'min'
  /** What only the office knows, which comes first. */
  | 'first'
  /** Times: the earliest, of those that have one at all. */
  | 'earliest';

/** Every gauge has its row here; a test compares. */
export const GAUGE_RULES: Readonly<Record<string, Rule>> = {
  keygate_build_info: 'max',
  keygate_cache_entries: 'max', // of the one that has the most: each may have cache.maxKeys
  keygate_canary_last_kept_timestamp_seconds: 'earliest',
  keygate_certificate_expiry_timestamp_seconds: 'earliest',
  keygate_config_last_reload_success_timestamp_seconds: 'first',
  keygate_config_last_reload_successful: 'first',
  keygate_config_options_awaiting_restart: 'first',
  keygate_connections: 'sum',
  keygate_draining: 'max',
  keygate_feed_current_timestamp_seconds: 'min',
  keygate_feed_position: 'min',
  keygate_feed_up: 'min',
  keygate_held_bytes: 'sum',
  keygate_refused_source_requests_per_second: 'max',
  keygate_requests_in_flight: 'sum',
  keygate_snapshot_written_timestamp_seconds: 'max',
  keygate_store_breaker_open: 'max',
  keygate_store_evicts: 'max',
  keygate_store_up: 'min',
  keygate_upstream_addresses: 'max', // all know the same ones
  keygate_upstream_connections: 'sum',
  keygate_workers: 'max',
  nodejs_active_handles: 'sum',
  nodejs_active_handles_total: 'sum',
  nodejs_active_requests: 'sum',
  nodejs_active_requests_total: 'sum',
  nodejs_active_resources: 'sum',
  nodejs_active_resources_total: 'sum',
  nodejs_eventloop_lag_max_seconds: 'max',
  nodejs_eventloop_lag_mean_seconds: 'max',
  nodejs_eventloop_lag_min_seconds: 'min',
  nodejs_eventloop_lag_p50_seconds: 'max',
  nodejs_eventloop_lag_p90_seconds: 'max',
  nodejs_eventloop_lag_p99_seconds: 'max',
  nodejs_eventloop_lag_seconds: 'max',
  nodejs_eventloop_lag_stddev_seconds: 'max',
  nodejs_external_memory_bytes: 'sum',
  nodejs_heap_size_total_bytes: 'sum',
  nodejs_heap_size_used_bytes: 'sum',
  nodejs_heap_space_size_available_bytes: 'sum',
  nodejs_heap_space_size_total_bytes: 'sum',
  nodejs_heap_space_size_used_bytes: 'sum',
  nodejs_version_info: 'max',
  process_heap_bytes: 'sum',
  process_max_fds: 'min',
  process_open_fds: 'sum',
  process_resident_memory_bytes: 'sum',
  process_start_time_seconds: 'earliest',
  process_virtual_memory_bytes: 'sum',
};

/** What a registry has now. */
export async function readFigures(registry: Registry): Promise<Figures> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type, values }) => ({
    name,
    help,
    type: String(type),
    values: (values as readonly Value[]).map(({ metricName, labels, value }) => ({
      ...(metricName !== undefined && { metricName }),
      labels,
      value: Number.isFinite(value) ? value : 0, // prom-client knows no mean of nothing, and JSON no NaN
    })),
  }));
}

/** The figures of several processes as those of one; what only some of them have is theirs. */
export function addUp(parts: readonly Figures[]): Figures {
  const families = new Map<string, Family & { readonly series: Map<string, Value & { value: number }> }>();
  for (const family of parts.flat()) {
    let sum = families.get(family.name);
    if (sum === undefined) families.set(family.name, (sum = { ...family, series: new Map() }));
    for (const one of family.values) {
      const id = seriesOf(one);
      const known = sum.series.get(id);
      if (known === undefined) sum.series.set(id, { ...one });
      else known.value = bothOf(known.value, one.value, isCount(family) ? 'sum' : GAUGE_RULES[family.name]);
    }
  }
  return Array.from(families.values(), ({ series, ...family }) => ({ ...family, values: [...series.values()] }));
}

/** What stays true of a process that has ended: what it has counted. Without it, sums would go back, as no counter may. */
export function countsIn(figures: Figures): Figures {
  return figures.filter(isCount);
}

/** In the text format of Prometheus. */
export function figuresText(figures: Figures): string {
  return figures.map(familyText).join('\n');
}

function isCount({ type }: Family): boolean {
  return type !== 'gauge';
}

function bothOf(a: number, b: number, rule: Rule = 'sum'): number {
  switch (rule) {
    case 'sum':
      return a + b;
    case 'first':
      return a;
    case 'max':
      return Math.max(a, b);
    case 'min':
      return Math.min(a, b);
    case 'earliest':
      return Math.min(a, b) > 0 ? Math.min(a, b) : Math.max(a, b);
  }
}

/** Labels come in the same order from every process: that in which the program names them. */
function seriesOf({ metricName = '', labels }: Value): string {
  return `${metricName}${JSON.stringify(labels)}`;
}

function familyText({ name, help, type, values }: Family): string {
  const lines = values.map(({ metricName = name, labels, value }) => `${metricName}${labelsText(labels)} ${value}\n`);
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Value['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** As the text format wants it in a label's value. */
export function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
