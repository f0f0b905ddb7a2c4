import { findPort } from '../support/ports.ts';
import { startRedisKeys } from '../support/redis-keys.ts';
import type { Scope } from '../support/scope.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';

/** What all gateways of this suite have in common: a real Redis, with a key in it. */
export interface Site {
  readonly key: string;
  /** The store of a gateway. */
  readonly store: object;
}

export async function openSite(t: Scope): Promise<Site> {
  const { redis, keys } = await startRedisKeys(t);
  const { text: key } = await keys.create({ kind: 'ingestion', name: 'rolling' }, { name: 'test:rolling' });
  return { key, store: { redis: { url: redis.url, commandTimeout: '1s' } } };
}

/** A collector that can be restarted where it is. */
export interface RestartableCollector {
  /** Of a gateway before it. */
  readonly upstream: { readonly grpc: string; readonly http: string };
  /** Batches that it has got. */
  readonly count: () => number;
  start(): Promise<void>;
  /** It ends as collectors do, and has told all that it got. */
  end(): Promise<void>;
}

export async function createCollector(t: Scope, arrived: (name: string) => void): Promise<RestartableCollector> {
  const ports = { grpc: await findPort(), http: await findPort() };
  let running: Child | undefined;
  let count = 0;
  return {
    upstream: { grpc: `http://127.0.0.1:${ports.grpc}`, http: `http://127.0.0.1:${ports.http}` },
    count: () => count,
    async start() {
      running = startChild(t, 'collector.ts', [String(ports.grpc), String(ports.http)], (names) => {
        count += names.length;
        for (const name of names) arrived(String(name));
      });
      await running.said('listening');
    },
    end: async () => running?.end(),
  };
}
