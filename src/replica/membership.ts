import { randomBytes } from 'node:crypto';
import type { CanaryKeys } from '../keys/canary-keys.ts';
import type { ChangeObserver, KeyStore } from '../store/port.ts';
import type { Decision } from '../verdict/decide.ts';
import type { Question, ReplicaAnswer } from './answers.ts';
import { createCanary } from './canary.ts';
import type { CanaryRound } from './canary.ts';
import { createResponder } from './explain.ts';
import { waitForChange } from './progress.ts';
import { createReplica } from './replica.ts';
import type { ReplicaObserver } from './replica.ts';

export interface MembershipOptions {
  readonly store: KeyStore;
  /** What this gateway would say to a key. */
  readonly answerTo: (question: Question) => Promise<ReplicaAnswer | undefined>;
  /** What is to be told of changes before they are acknowledged. */
  readonly cache: ChangeObserver;
  readonly name: string;
  readonly version: string;
  readonly canary: {
    readonly keys: CanaryKeys;
    readonly judge: (text: string) => Decision | Promise<Decision>;
    readonly intervalMs: number;
    readonly boundMs: number;
  };
  readonly observe: ReplicaObserver;
  readonly canaryRound: (round: CanaryRound) => void;
}

/** All that this gateway does as one of several. */
export interface Membership {
  /** For the change feed: the cache hears of each change first, and then it is acknowledged. */
  readonly observer: ChangeObserver;
  start(): void;
  /** To be called while the store is still open. */
  stop(): Promise<void>;
}

export function createMembership(options: MembershipOptions): Membership {
  const { store, cache, name, version, observe, canaryRound } = options;
  const id = randomBytes(8).toString('hex');
  const replica = createReplica({
    store: store.replicas,
    id,
    name,
    version,
    startedAt: Date.now(),
    observe,
  });
  const canary = createCanary({
    ...options.canary,
    wait: ({ record }, timeoutMs, signal) => waitForChange(record.digest, { store: store.replicas, timeoutMs, signal }),
    observe: canaryRound,
  });

  return {
    observer: {
      changed: (digest) => cache.changed(digest),
      gap: () => cache.gap(),
      current: (agoMs) => cache.current?.(agoMs),
      applied: replica.applied,
      asked: createResponder(id, store.replicas, options.answerTo),
    },
    start() {
      replica.join();
      canary.start();
    },
    async stop() {
      await canary.stop();
      await replica.leave();
    },
  };
}
