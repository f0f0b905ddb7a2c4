import type { Registry } from 'prom-client';

/** What does not change while the gateway runs. */
export interface FixedState {
  readonly workers: number;
  readonly store: 'redis' | 'sqlite';
  readonly cache: { readonly maxKeys: number; readonly maxUnknown: number };
  readonly ports: Readonly<Record<'grpc' | 'http', { readonly port: number; readonly tls: boolean }>>;
}

type Labels = Readonly<Record<string, string>>;

const PROTOCOLS = ['grpc', 'http'] as const;

/** The state of this gateway as a plain record, for the console; out of the same numbers that Prometheus sees. */
export function createGatewayState(registry: Pick<Registry, 'getSingleMetric'>, fixed: FixedState) {
  /** The sum of the series of a metric that have these labels. */
  async function sum(name: string, labels: Labels = {}): Promise<number> {
    const metric = registry.getSingleMetric(name);
    if (metric === undefined) throw new TypeError(`there is no metric ${name}`);
    const wanted = Object.entries(labels);
    const { values } = await metric.get();
    return values
      .filter((series) => wanted.every(([label, value]) => (series.labels as Labels)[label] === value))
      .reduce((total, { value }) => total + value, 0);
  }

  const isSet = async (name: string): Promise<boolean> => (await sum(name)) > 0;

  return async () => ({
    workers: fixed.workers,
    draining: await isSet('keygate_draining'),
    ports: fixed.ports,
    connections: {
      grpc: await sum('keygate_connections', { port: 'grpc' }),
      http: await sum('keygate_connections', { port: 'http' }),
    },
    store: {
      kind: fixed.store,
      up: await isSet('keygate_store_up'),
      breakerOpen: await isSet('keygate_store_breaker_open'),
      evicts: await isSet('keygate_store_evicts'),
    },
    feed: { up: await isSet('keygate_feed_up') },
    cache: {
      known: await sum('keygate_cache_entries', { pool: 'known' }),
      maxKnown: fixed.cache.maxKeys,
      unknown: await sum('keygate_cache_entries', { pool: 'unknown' }),
      maxUnknown: fixed.cache.maxUnknown,
      hits: await sum('keygate_cache_hits_total'),
      agedHits: await sum('keygate_cache_hits_total', { aged: 'true' }),
      misses: await sum('keygate_cache_misses_total'),
      shed: await sum('keygate_cache_shed_total'),
    },
    collectors: await Promise.all(
      PROTOCOLS.map(async (protocol) => ({
        protocol,
        healthy: await sum('keygate_upstream_addresses', { protocol, state: 'healthy' }),
        ejected: await sum('keygate_upstream_addresses', { protocol, state: 'ejected' }),
        connections: await sum('keygate_upstream_connections', { protocol }),
      })),
    ),
  });
}
