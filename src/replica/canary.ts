import { setTimeout as delay } from 'node:timers/promises';
import type { CanaryKey, CanaryKeys } from '../keys/canary-keys.ts';
import type { Decision } from '../verdict/decide.ts';
import { REASONS } from '../verdict/reasons.ts';
import type { Progress } from './progress.ts';

/** What a round found out. */
export type CanaryRound =
  | {
      readonly outcome: 'kept';
      /** From the beginning of the revocation until the gate of this replica refused the key. */
      readonly ownSeconds: number;
      /** Until the last live replica had told that it applied the change: undefined without any other. */
      readonly everywhereSeconds: number;
    }
  /** The store did not answer, or a replica ended meanwhile, so nothing is known. */
  | { readonly outcome: 'unmeasured'; readonly why: string }
  /** A revoked key was still allowed after the bound, or a new one not before it. */
  | { readonly outcome: 'broken'; readonly why: string };

export interface CanaryOptions {
  readonly keys: CanaryKeys;
  /** What the gate of this replica says of a key. */
  readonly judge: (text: string) => Decision | Promise<Decision>;
  /** Waits until all live replicas have applied the last change of the key. */
  readonly wait: (key: CanaryKey, timeoutMs: number, signal: AbortSignal) => Promise<Progress>;
  readonly intervalMs: number;
  /** How long a change may take at worst. */
  readonly boundMs: number;
  readonly observe: (round: CanaryRound) => void;
}

export interface Canary {
  start(): void;
  stop(): Promise<void>;
}

const QUICK_LOOK_MS = 1;
const SLOW_LOOK_MS = 50;
/** Looks are quick only at first, so that a feed that is cut costs nothing. */
const QUICK_LOOKS = 100;
const STORE_AWAY = 'the key store does not answer';
/** Of the interval: gateways that were started together do not go on together. */
const JITTER = 0.2;

/**
 * Makes a key that nobody knows, sees that it is allowed, revokes it as another process would, and measures how long it is
 * still allowed: the promise of instant revocation, measured all the time instead of believed.
 */
export function createCanary(options: CanaryOptions): Canary {
  const { keys, judge, wait, intervalMs, boundMs, observe } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;

  /** Whether the gate came to say so in time; the last thing it said if not. */
  async function until(text: string, holds: (decision: Decision) => boolean): Promise<Decision | undefined> {
    const deadline = performance.now() + boundMs;
    for (let looks = 0; ; looks++) {
      const decision = await judge(text);
      if (holds(decision)) return undefined;
      if (performance.now() >= deadline) return decision;
      await delay(looks < QUICK_LOOKS ? QUICK_LOOK_MS : SLOW_LOOK_MS, undefined, { signal });
    }
  }

  async function measure(key: CanaryKey): Promise<CanaryRound> {
    const refused = await until(key.text, ({ verdict }) => verdict === 'allow');
    if (refused !== undefined) return fault(refused, 'a new key was not allowed');
    const startedAt = performance.now();
    await keys.revoke(key);
    const everywhere = wait(key, boundMs, signal).then((progress) => ({ progress, seconds: secondsSince(startedAt) }));
    everywhere.catch(() => undefined); // it is awaited below, unless this replica itself fails first
    const allowed = await until(key.text, (decision) => isRefused(decision, 'revoked_key'));
    if (allowed !== undefined) return fault(allowed, 'a revoked key was still allowed');
    const ownSeconds = secondsSince(startedAt);
    const { progress, seconds } = await everywhere;
    return progress.complete ? { outcome: 'kept', ownSeconds, everywhereSeconds: seconds } : unconfirmed(progress);
  }

  function unconfirmed({ replicas }: Progress): CanaryRound {
    const waiting = replicas.filter(({ state }) => state === 'waiting');
    if (waiting.length === 0) return { outcome: 'unmeasured', why: STORE_AWAY };
    // One that was killed cannot say so; one that is cut off from the store says that in its own metrics.
    const live = waiting.filter(({ silentForMs }) => silentForMs === undefined);
    if (live.length === 0) return { outcome: 'unmeasured', why: `replicas that fell silent: ${namesOf(waiting)}` };
    return { outcome: 'broken', why: `replicas that have not applied a revocation: ${namesOf(live)}` };
  }

  function fault(decision: Decision, why: string): CanaryRound {
    const isDoubt = decision.verdict === 'refuse' && REASONS[decision.reason].verdict === 'undecided';
    const after = `${why} after ${boundMs / 1_000} s`;
    return isDoubt
      ? { outcome: 'unmeasured', why: STORE_AWAY }
      : { outcome: 'broken', why: decision.verdict === 'allow' ? after : `${after} (${decision.reason})` };
  }

  /** Of the last round, if the store could not be reached to forget it. */
  let leftBehind: CanaryKey | undefined;

  async function round(): Promise<void> {
    try {
      await clear();
      const key = keys.draw();
      leftBehind = key; // from here on: a write whose answer is lost may have been made
      await keys.plant(key);
      observe(await measure(key));
    } catch (error) {
      if (!signal.aborted)
        observe({ outcome: 'unmeasured', why: error instanceof Error ? error.message : String(error) });
    } finally {
      // If that fails too, the next round begins with it; one that is never forgotten dies by itself.
      await clear().catch(() => undefined);
    }
  }

  async function clear(): Promise<void> {
    if (leftBehind !== undefined) await keys.forget(leftBehind);
    leftBehind = undefined;
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const waitMs = intervalMs * (1 - JITTER / 2 + JITTER * Math.random());
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await round();
    }
  }

  return {
    start() {
      if (intervalMs > 0) running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function namesOf(replicas: readonly { readonly name: string }[]): string {
  return replicas.map(({ name }) => name).join(', ');
}

function isRefused(decision: Decision, reason: string): boolean {
  return decision.verdict === 'refuse' && decision.reason === reason;
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1_000;
}
