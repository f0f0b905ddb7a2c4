import type { Spending } from '../budget/budgets.ts';
import type { Config } from '../config/schema.ts';
import type { KeyDigest } from '../credential/digest.ts';
import type { LevelSetting } from '../log-levels.ts';
import type { Protocol } from '../plane/plane.ts';
import type { Figures } from '../telemetry/figures.ts';
import type { UsedKey } from '../telemetry/key-metrics.ts';
import type { ToldTraffic } from '../traffic/merged.ts';
import type { Worked } from '../traffic/refused-sources.ts';

// What the office and its workers say to each other. It goes as JSON over the channel that Node opens between them, so it holds nothing
// but numbers, texts and lists; each message is as long as a piece of a thousand keys at most, some 200 KB.

/** How a process is started that is to be a worker. */
export const WORKER_COMMAND = 'worker';

/** What a worker has to know before it can begin. */
export interface Assignment {
  /** From 1 to as many as there are. */
  readonly worker: number;
  /** What it is called among the replicas. */
  readonly name: string;
  /** With this worker's share of what there is once. */
  readonly config: Config;
}

export type ToWorker =
  | ({ readonly kind: 'begin' } & Assignment)
  /** With a socket. The next one comes when this one was taken. */
  | { readonly kind: 'connection'; readonly port: Protocol }
  /** Tell me your figures, then say that you have. */
  | { readonly kind: 'tell'; readonly id: number }
  | ({ readonly kind: 'news' } & News)
  /** Have this take the place of the configuration that holds, then say what became of it. */
  | { readonly kind: 'reload'; readonly config: Config }
  | { readonly kind: 'level'; readonly level: LevelSetting }
  | { readonly kind: 'drain' };

export type ToOffice =
  | { readonly kind: 'serving' }
  | { readonly kind: 'unable'; readonly why: string }
  /** The connection that was sent. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'closed'; readonly port: Protocol; readonly connections: number }
  /** What keys have sent since this was told last. */
  | { readonly kind: 'keys'; readonly used: readonly UsedKey[] }
  /** All that was counted since the start. */
  | { readonly kind: 'figures'; readonly figures: Figures; readonly traffic: ToldTraffic }
  | { readonly kind: 'told'; readonly id: number }
  /** With why it was refused, if it was. */
  | { readonly kind: 'reloaded'; readonly refusal?: string }
  /** Keys that were looked up and found. */
  | { readonly kind: 'found'; readonly digests: readonly KeyDigest[] }
  | ({ readonly kind: 'news' } & News);

/** What each worker is to know of what happens at the others. */
export interface News {
  readonly spent: readonly Spending[];
  readonly worked: readonly Worked[];
}
