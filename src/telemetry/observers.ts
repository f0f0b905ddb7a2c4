import type { CacheObserver } from '../cache/observer.ts';
import type { SnapshotObserver } from '../cache/snapshot.ts';
import type { AuditEntry } from '../keys/audit.ts';
import { KIND_NAMES } from '../keys/record.ts';
import type { PlaneObserver, Protocol } from '../plane/plane.ts';
import type { ChangeObserver, StoreObserver } from '../store/port.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { EndpointsObserver } from '../upstream/endpoints.ts';
import type { UsageObserver } from '../usage/usage.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** What the cache tells, as metrics; what only an operator can mend, as log lines. */
export function cacheObserver(metrics: Metrics, log: Log): CacheObserver {
  return {
    hit: metrics.cacheHit,
    miss: () => metrics.cacheMisses.inc(),
    shed: metrics.cacheShed,
    breaker(state) {
      metrics.breakerOpen.set(state === 'open' ? 1 : 0);
      if (state === 'closed') log('info', 'lookups go to the key store again');
      else log('warn', 'lookups fail again and again; the key store is asked once at a time until one succeeds');
    },
    evicted: (pool) => metrics.cacheEvictions.inc({ pool }),
    storeRead(outcome, seconds, error) {
      metrics.storeReads.observe({ outcome }, seconds);
      if (outcome === 'corrupt' || outcome === 'error') {
        log('error', 'a key could not be read from the store; its senders get 503', { cause: error?.message });
      }
    },
  };
}

export function storeObserver(metrics: Metrics, log: Log): StoreObserver {
  return {
    feed(state, cause) {
      metrics.feedUp.set(state === 'up' ? 1 : 0);
      if (state === 'up') log('info', 'the change feed is being read');
      else
        log('warn', 'the change feed is not being read; known keys are checked again as they age', {
          cause: cause?.message,
        });
    },
    unreadable: (error) =>
      log('error', 'a stored key cannot be read and is left out of lists', { cause: error.message }),
    evictionPolicy(policy) {
      if (policy === undefined) {
        log('info', 'Redis does not tell its maxmemory-policy (INFO memory); make sure that it is noeviction');
        return;
      }
      // A volatile policy takes only what has an expiry in Redis. Keys of Keygate have none.
      const evicts = policy.startsWith('allkeys-');
      const cause = `maxmemory-policy is ${policy}`;
      metrics.storeEvicts.set(evicts ? 1 : 0);
      if (evicts) {
        log('warn', 'Redis will delete keys when its memory is full; set maxmemory-policy to noeviction', { cause });
      } else {
        const level = policy === 'noeviction' ? 'debug' : 'info';
        log(level, 'Redis keeps all keys of Keygate when its memory is full', { cause });
      }
    },
  };
}

/** Who was not served is only for those who ask for more of the log: checks of load balancers come all the time. */
export function turnedAwayObserver(metrics: Metrics, log: Log): PlaneObserver['turnedAway'] {
  return (port, why, peer, cause) => {
    metrics.turnedAway(port, why);
    log('debug', 'a connection was turned away', { port, fault: why, peer, cause });
  };
}

/** The change feed as it is told on, and until when its reader has heard everything. */
export function feedObserver(metrics: Metrics, now: () => number, observer: ChangeObserver): ChangeObserver {
  return {
    ...observer,
    current(agoMs) {
      metrics.feedCurrentAt.set((now() - agoMs) / 1_000);
      observer.current?.(agoMs);
    },
  };
}

/** What is told of the way to one collector; there may be several of a protocol, whose numbers are added up. */
export interface UpstreamObserver extends EndpointsObserver {
  /** How many connections are open, whenever that changes. */
  connections(open: number): void;
  /** A connection could not be opened, or broke with requests on it. */
  connectionFailed(endpoint: Endpoint, why: string): void;
}

export function upstreamObserver(metrics: Metrics, log: Log, protocol: Protocol): UpstreamObserver {
  let [healthyBefore, ejectedBefore, openBefore] = [0, 0, 0];
  return {
    addresses(healthy, ejected) {
      metrics.upstreamAddresses.inc({ protocol, state: 'healthy' }, healthy - healthyBefore);
      metrics.upstreamAddresses.inc({ protocol, state: 'ejected' }, ejected - ejectedBefore);
      [healthyBefore, ejectedBefore] = [healthy, ejected];
    },
    connections(open) {
      metrics.upstreamConnections.inc({ protocol }, open - openBefore);
      openBefore = open;
    },
    connectionFailed({ address }, why) {
      log('warn', 'a connection to the collector could not be opened, or broke', { protocol, address, cause: why });
    },
    ejected({ address }) {
      metrics.upstreamEjections.inc({ protocol });
      log('warn', 'requests fail at an address of the collector; it gets none for a while', { protocol, address });
    },
    resolved(outcome, error) {
      if (outcome === 'ok') log('info', 'the name of the collector is resolved again', { protocol });
      else log('warn', 'the name of the collector cannot be resolved', { protocol, cause: error?.message });
    },
  };
}

/** Said once, when it begins: a store that answers and takes no writes is noticed by nothing else. */
export function usageObserver(metrics: Metrics, log: Log): UsageObserver {
  let failsSince: string | undefined;
  return {
    written(outcome, error) {
      metrics.usageWrites.inc({ outcome });
      const cause = error?.message;
      if (cause !== undefined && cause !== failsSince)
        log('warn', 'the use of keys cannot be written to the key store; this is tried again', { cause });
      if (cause === undefined && failsSince !== undefined) log('info', 'the use of keys is written again');
      failsSince = cause;
    },
    dropped(requests) {
      metrics.usageDropped.inc(requests);
      log('warn', 'the use of some keys is lost: it could not be written to the key store', { requests });
    },
  };
}

export function snapshotObserver(metrics: Metrics, log: Log, path: string): SnapshotObserver {
  return {
    loaded(outcome, count, problem) {
      metrics.snapshotLoads.inc({ outcome });
      if (outcome === 'loaded') log('info', 'known keys were read from the snapshot', { count, path });
      else if (outcome === 'absent') log('info', 'there is no snapshot of known keys yet', { path });
      else log('warn', 'the snapshot of known keys was refused; no key is known yet', { path, cause: problem });
    },
    written(count, seconds) {
      metrics.snapshotWrites.inc({ outcome: 'written' });
      metrics.snapshotWrittenAt.setToCurrentTime();
      log('debug', 'known keys were written to the snapshot', { count, duration_ms: Math.round(seconds * 1_000) });
    },
    failed(error) {
      metrics.snapshotWrites.inc({ outcome: 'failed' });
      log('warn', 'the snapshot of known keys cannot be written; make its folder writable', {
        path,
        cause: error.message,
      });
    },
  };
}

/** Each change of a key made through this process, with what the audit log in the store says of it. */
export function auditLog(log: Log): (entry: AuditEntry) => void {
  return ({ actor, via, address, action, kind, id, name, before, after }) =>
    log('info', `${KIND_NAMES[kind]} ${action}`, {
      change: action,
      key_id: id,
      key_name: name,
      actor,
      via,
      address,
      before: JSON.stringify(before),
      after: JSON.stringify(after),
    });
}
