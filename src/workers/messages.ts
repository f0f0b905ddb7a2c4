import type { Spending } from '../budget/budgets.ts';
import type { Config } from '../config/schema.ts';
import type { KeyDigest } from '../credential/digest.ts';
import type { LevelSetting } from '../log-levels.ts';
import type { Port } from '../plane/plane.ts';
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
  readonly workers: number;
  /** What it is called among the replicas. */
  readonly name: string;
  /** With this worker's share of what there is once. */
  readonly config: Config;
}

/** What is answered with `done`, in the order in which it was asked. */
export type Question =
  /** Tell me your figures. */
  | { readonly kind: 'tell' }
  /** Read and judge this configuration. Nothing of it holds yet; the one that was prepared before and not taken is forgotten. */
  | { readonly kind: 'prepare'; readonly config: Config }
  /** Have the one that was prepared last hold. Whoever cannot, because its refusal came too late to be heard, has to end. */
  | { readonly kind: 'take' };

export type ToWorker =
  | ({ readonly kind: 'begin' } & Assignment)
  /** With a socket. The next one comes when this one was taken. */
  | { readonly kind: 'connection'; readonly port: Port }
  | (Question & { readonly id: number })
  | ({ readonly kind: 'news' } & News)
  | { readonly kind: 'level'; readonly level: LevelSetting }
  /** The end is near: who asks about health is told, and all is served as before. */
  | { readonly kind: 'leave' }
  /** Finish what is in flight, then end. */
  | { readonly kind: 'drain' };

export type ToOffice =
  | { readonly kind: 'serving' }
  /** It has to end, and nobody wanted that. */
  | { readonly kind: 'unable'; readonly why: string }
  /** Somebody has told it to end: it will, when it is told so by the office. */
  | { readonly kind: 'leaving' }
  /** The connection that was sent. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'closed'; readonly port: Port; readonly connections: number }
  /** What keys have sent since this was told last. */
  | { readonly kind: 'keys'; readonly used: readonly UsedKey[] }
  /** All that was counted since the start. */
  | { readonly kind: 'figures'; readonly figures: Figures; readonly traffic: ToldTraffic }
  /** What was asked for with this id; with why not, if so. */
  | { readonly kind: 'done'; readonly id: number; readonly refusal?: string }
  /** Keys that were looked up and found. */
  | { readonly kind: 'found'; readonly digests: readonly KeyDigest[] }
  | ({ readonly kind: 'news' } & News);

/** What each worker is to know of what happens at the others. */
export interface News {
  readonly spent: readonly Spending[];
  readonly worked: readonly Worked[];
}
