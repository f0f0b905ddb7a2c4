import { percentile } from '../support/process-usage.ts';
import { batchName } from './batch.ts';
import type { Told } from './load.ts';

/** A part of the run, by the clock. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What became of the batches of one client that were sent in one phase. */
export interface Account {
  readonly sent: number;
  /** They are nowhere: acknowledged and not there, refused for good, or left without a sender. */
  readonly lost: number;
  /** They arrived more than once. */
  readonly duplicated: number;
  /** They arrived, and their sender believes that they did not. */
  readonly disowned: number;
  /** Nowhere yet: their sender was told to send them again later, and does no such thing. */
  readonly kept: number;
  /** They took more than one try, or more than a second. */
  readonly delayed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What was said to those that are lost or kept. */
  readonly causes: ReadonlyMap<string, number>;
}

const SLOW_MS = 1_000;

/** Two lists are kept, and compared at the end: what senders say of each batch, and what has arrived. */
export class Ledger {
  readonly #told = new Map<string, Told[]>();
  readonly #arrivals = new Map<string, number>();

  tell(told: Told): void {
    const all = this.#told.get(told.client);
    if (all === undefined) this.#told.set(told.client, [told]);
    else all.push(told);
  }

  arrived(name: string): void {
    this.#arrivals.set(name, (this.#arrivals.get(name) ?? 0) + 1);
  }

  get clients(): readonly string[] {
    return [...this.#told.keys()];
  }

  /** What arrived and nobody has sent. */
  strangers(): readonly string[] {
    const sent = new Set([...this.#told.values()].flat().map(batchName));
    return [...this.#arrivals.keys()].filter((name) => !sent.has(name));
  }

  /** `mayBeKept`: in these phases there is nobody who could take them, so that it is right to be told to come back. */
  account(client: string, phases: readonly Phase[], mayBeKept = false): Account {
    const all = (this.#told.get(client) ?? []).filter(({ atMs }) =>
      phases.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs),
    );
    const count = { lost: 0, duplicated: 0, disowned: 0, kept: 0, delayed: 0 };
    const causes = new Map<string, number>();
    for (const told of all) {
      const fate = this.#fateOf(told, mayBeKept);
      if (fate === undefined) continue;
      count[fate] += 1;
      const why = told.why?.replace(/, request [0-9a-f-]+/, '');
      if (why !== undefined) causes.set(why, (causes.get(why) ?? 0) + 1);
    }
    const times = all.map(({ tookMs }) => tookMs);
    return { sent: all.length, ...count, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99), causes };
  }

  #fateOf(told: Told, mayBeKept: boolean): 'lost' | 'duplicated' | 'disowned' | 'kept' | 'delayed' | undefined {
    const arrivals = this.#arrivals.get(batchName(told)) ?? 0;
    if (arrivals > 1) return 'duplicated';
    if (arrivals === 0) return told.outcome === 'kept' && mayBeKept ? 'kept' : 'lost';
    if (told.outcome !== 'accepted') return 'disowned';
    return told.tries > 1 || told.tookMs > SLOW_MS ? 'delayed' : undefined;
  }
}
