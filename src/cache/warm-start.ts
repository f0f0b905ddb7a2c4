import type { ChangeObserver, KeyStore, Watch } from '../store/port.ts';
import type { KeyCache } from './key-cache.ts';
import type { CacheSnapshot } from './snapshot.ts';

/**
 * Watches the store from where the snapshot was left, once its keys are in memory: when this resolves, no key that was
 * changed meanwhile is answered from it, unless the store cannot be asked at all.
 */
export async function watchFromSnapshot(
  store: Pick<KeyStore, 'watch' | 'ping'>,
  observer: ChangeObserver,
  cache: Pick<KeyCache, 'confirmRestored' | 'gap'>,
  snapshot: CacheSnapshot | undefined,
): Promise<Watch> {
  if (snapshot === undefined) return store.watch(observer);
  const from = await snapshot.load();
  const both: ChangeObserver = {
    ...observer,
    applied(position, madeAt) {
      observer.applied?.(position, madeAt);
      snapshot.applied(position);
    },
  };
  const watch = await store.watch(both, from);
  if (watch.isCurrent()) cache.confirmRestored();
  // A store that answers, though not the feed, knows more of its keys than the snapshot does.
  else if (from !== undefined && (await answers(store))) cache.gap();
  snapshot.start();
  return watch;
}

function answers(store: Pick<KeyStore, 'ping'>): Promise<boolean> {
  return store.ping().then(
    () => true,
    () => false,
  );
}
