import { setTimeout as delay } from 'node:timers/promises';
import type { KeyDigest } from '../credential/digest.ts';
import { StoreError } from '../store/port.ts';
import type { ReplicaRoll, ReplicaState, ReplicaStore } from '../store/replica-port.ts';

/**
 * - applied: it has applied the change, and answers by it
 * - waiting: it was live, and has not told that it applied the change
 * - silent: nothing was heard of it for a while when the wait began. It ended without a word, or it is cut off from the
 *   store and goes on with what it remembers: which of the two cannot be seen from here, so it is not waited for
 */
export type ProgressState = 'applied' | 'waiting' | 'silent';

export interface ReplicaProgress {
  readonly name: string;
  readonly version: string;
  readonly state: ProgressState;
  /** From the change until the store heard that it is applied; by the store's clock. */
  readonly milliseconds?: number;
  /** How long nothing was heard of it, where it is silent; one that is waited for may have fallen silent meanwhile. */
  readonly silentForMs?: number;
}

export interface Progress {
  /** Whether every live replica has applied the change. */
  readonly complete: boolean;
  /** None where none is live; or, if it is not complete, where the store did not say who is. */
  readonly replicas: readonly ReplicaProgress[];
}

export interface WaitOptions {
  readonly store: ReplicaStore;
  readonly timeoutMs: number;
  /** Ends the wait early; it then rejects. */
  readonly signal?: AbortSignal | undefined;
}

export const DEFAULT_WAIT_MS = 10_000;
export const MAX_WAIT_MS = 60_000;
const POLL_MS = 5;
/** A store that is away is not asked more often than this. */
const RETRY_MS = 100;

/** What is told when the store went away as soon as the change was made: who has applied it is not known. */
const NOT_KNOWN: Progress = { complete: false, replicas: [] };

/**
 * Waits until every live replica has applied the last change of the key with this digest, which has been made. Replicas
 * that come later need not be waited for: they begin with what the store says by then. A fault of the store is never
 * thrown: the change is made all the same, and whoever rotated a key must still be given its text.
 */
export async function waitForChange(digest: KeyDigest, { store, timeoutMs, signal }: WaitOptions): Promise<Progress> {
  const deadline = performance.now() + timeoutMs;
  const begin = async () => ({ change: await store.changeOf(digest), first: await store.replicas() });
  const began = await readUntil(deadline, begin, signal);
  if (began === undefined) return NOT_KNOWN;
  const { change, first } = began;
  const target = change?.number ?? first.lastChange;
  const expected = new Set(first.replicas.filter((replica) => isLive(replica, first, store)).map(({ id }) => id));
  /** When each was first seen to have applied it. */
  const appliedAt = new Map<string, number>();

  let roll: ReplicaRoll = first;
  for (;;) {
    for (const { id, applied, appliedAt: at } of roll.replicas) {
      if (applied >= target && !appliedAt.has(id)) appliedAt.set(id, at);
    }
    // One that left in the meantime answers nobody any more.
    const present = new Set(roll.replicas.map(({ id }) => id));
    for (const id of expected) if (!present.has(id)) expected.delete(id);
    const complete = [...expected].every((id) => appliedAt.has(id));
    if (complete || performance.now() >= deadline) {
      const replicas = roll.replicas.map((replica) =>
        toProgress(replica, roll, store, expected, change?.madeAt, appliedAt),
      );
      return { complete, replicas: replicas.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))) };
    }
    await delay(POLL_MS, undefined, { signal });
    roll = await store.replicas().catch((error: unknown) => {
      if (error instanceof StoreError) return roll; // the change is made all the same; this is asked once more
      throw error;
    });
  }
}

/** What a store says, once it can; undefined if it was away until then. */
async function readUntil<T>(
  deadline: number,
  read: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
    if (performance.now() + RETRY_MS > deadline) return undefined;
    await delay(RETRY_MS, undefined, { signal });
  }
}

export function isLive({ seenAt }: ReplicaState, { now }: ReplicaRoll, { liveForMs }: ReplicaStore): boolean {
  return now - seenAt <= liveForMs * 1_000;
}

function toProgress(
  replica: ReplicaState,
  roll: ReplicaRoll,
  store: ReplicaStore,
  expected: ReadonlySet<string>,
  madeAt: number | undefined,
  appliedAt: ReadonlyMap<string, number>,
): ReplicaProgress {
  const { id, name, version, seenAt } = replica;
  const at = appliedAt.get(id);
  if (at !== undefined) {
    // One that began after the change had it applied from the beginning.
    const milliseconds = madeAt === undefined ? undefined : Math.round((at - madeAt) / 100) / 10;
    return { name, version, state: 'applied', ...(milliseconds !== undefined && { milliseconds }) };
  }
  const silence = { silentForMs: Math.round((roll.now - seenAt) / 1_000) };
  if (!expected.has(id)) return { name, version, state: 'silent', ...silence };
  return { name, version, state: 'waiting', ...(!isLive(replica, roll, store) && silence) };
}
