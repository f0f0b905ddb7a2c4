import type { ChangeObserver, KeyStore } from './port.ts';

/**
 * The store, telling the observer of the writes made through it: a change made in this process is true for its next
 * request, without the way through the feed. A write that failed is told too: one that timed out may have been made.
 */
export function announcing(store: KeyStore, observer: Pick<ChangeObserver, 'changed'>): KeyStore {
  return {
    ...store,
    async insert(record, nowMs, entry) {
      try {
        return await store.insert(record, nowMs, entry);
      } finally {
        observer.changed(record.digest);
      }
    },
    async insertAll(additions, nowMs, options) {
      try {
        return await store.insertAll(additions, nowMs, options);
      } finally {
        if (!options.dryRun) for (const { record } of additions) observer.changed(record.digest);
      }
    },
    async replace(record, entry) {
      try {
        return await store.replace(record, entry);
      } finally {
        observer.changed(record.digest);
      }
    },
    async succeed(predecessor, successor, nowMs, entries) {
      try {
        return await store.succeed(predecessor, successor, nowMs, entries);
      } finally {
        observer.changed(predecessor.digest);
        observer.changed(successor.digest);
      }
    },
  };
}
