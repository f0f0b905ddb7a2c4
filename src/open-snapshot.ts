import { hash } from 'node:crypto';
import type { KeyCache } from './cache/key-cache.ts';
import { createCacheSnapshot } from './cache/snapshot.ts';
import type { CacheSnapshot } from './cache/snapshot.ts';
import type { Config } from './config/schema.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { snapshotObserver } from './telemetry/observers.ts';

interface SnapshotNeeds {
  readonly config: Config;
  readonly cache: KeyCache;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  /** Of several processes one writes the file; all read it when they start. */
  readonly isWritten: boolean;
}

/** The snapshot that the configuration asks for, if it does. */
export function openSnapshot(needs: SnapshotNeeds): CacheSnapshot | undefined {
  const { config, cache, metrics, log, now, isWritten } = needs;
  const { snapshot, maxKeys, staleFor } = config.cache;
  if (snapshot === null) return undefined;
  const opened = createCacheSnapshot({
    path: snapshot.path,
    secret: snapshot.secret,
    intervalMs: snapshot.interval,
    origin: originOf(config.store),
    maxKeys,
    staleForMs: staleFor,
    cache,
    now,
    observe: snapshotObserver(metrics, log, snapshot.path),
  });
  return isWritten ? opened : { ...opened, applied() {}, start() {}, flush: async () => {} };
}

/** Which store is configured: the same text as long as it is the same place. */
function originOf({ redis }: Config['store']): string {
  if (redis === null) return 'none';
  const { url, sentinels, master, nodes, database, prefix } = redis;
  const { host, pathname } = url === null ? {} : new URL(url);
  return hash('sha256', JSON.stringify([host, pathname, sentinels, master, nodes, database, prefix]));
}
