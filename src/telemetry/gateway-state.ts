import type { Figures } from './figures.ts';

/** What does not change while the gateway runs. */
export interface FixedState {
  readonly workers: number;
  readonly store: 'redis' | 'sqlite';
  readonly cache: { readonly maxKeys: number; readonly maxUnknown: number };
  readonly ports: Readonly<Record<'grpc' | 'http', { readonly port: number; readonly tls: boolean }>>;
}

type Labels = Readonly<Record<string, string | number>>;

const PROTOCOLS = ['grpc', 'http'] as const;

/** The state of this gateway as a plain record, for the console; out of the same numbers that Prometheus sees. */
export function createGatewayState(read: () => Promise<Figures>, fixed: FixedState) {
  return async () => stateOf(await read(), fixed);
}

function stateOf(figures: Figures, fixed: FixedState) {
  /** The sum of the series of a metric that have these labels. */
  function sum(name: string, labels: Labels = {}): number {
    const family = figures.find((one) => one.name === name);
    if (family === undefined) throw new TypeError(`there is no metric ${name}`);
    const wanted = Object.entries(labels);
    return family.values
      .filter((series) => wanted.every(([label, value]) => series.labels[label] === value))
      .reduce((total, { value }) => total + value, 0);
  }

  const isSet = (name: string): boolean => sum(name) > 0;

  return {
    workers: fixed.workers,
    draining: isSet('keygate_draining'),
    ports: fixed.ports,
    connections: {
      grpc: sum('keygate_connections', { port: 'grpc' }),
      http: sum('keygate_connections', { port: 'http' }),
    },
    store: {
      kind: fixed.store,
      up: isSet('keygate_store_up'),
      breakerOpen: isSet('keygate_store_breaker_open'),
      evicts: isSet('keygate_store_evicts'),
    },
    feed: { up: isSet('keygate_feed_up') },
    cache: {
      known: sum('keygate_cache_entries', { pool: 'known' }),
      maxKnown: fixed.cache.maxKeys,
      unknown: sum('keygate_cache_entries', { pool: 'unknown' }),
      maxUnknown: fixed.cache.maxUnknown,
      hits: sum('keygate_cache_hits_total'),
      agedHits: sum('keygate_cache_hits_total', { aged: 'true' }),
      misses: sum('keygate_cache_misses_total'),
      shed: sum('keygate_cache_shed_total'),
    },
    collectors: PROTOCOLS.map((protocol) => ({
      protocol,
      healthy: sum('keygate_upstream_addresses', { protocol, state: 'healthy' }),
      ejected: sum('keygate_upstream_addresses', { protocol, state: 'ejected' }),
      connections: sum('keygate_upstream_connections', { protocol }),
    })),
  };
}
