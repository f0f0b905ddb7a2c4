import type { KeyDigest } from '../credential/digest.ts';

/**
 * What gateways tell each other through the store: that they are there, how far in the change feed they are, and what
 * they would answer to a question. Times are microseconds by the clock of the store, which is one clock for all of them.
 */
export interface ReplicaStore {
  /** How often a replica is to tell that it is there, though nothing has changed. */
  readonly beatMs: number;
  /** A replica that was not heard of for longer is not live: it ended without a word, or it is cut off. */
  readonly liveForMs: number;
  /** Tells that a replica is there, and how far it is; resolves with the store's time. */
  acknowledge(acknowledgement: Acknowledgement): Promise<number>;
  /** Strikes a replica off. One that was not heard of for an hour is struck off by those that come. */
  leave(id: string): Promise<void>;
  replicas(): Promise<ReplicaRoll>;
  /** The last change of the key with this digest, if it is among the last thousand changes. */
  changeOf(digest: KeyDigest): Promise<MadeChange | undefined>;
  /** Puts a question to all that watch; resolves with its id. It and its answers are forgotten after a minute. */
  ask(question: string): Promise<string>;
  answer(questionId: string, replicaId: string, answer: string): Promise<void>;
  /** The answers so far, by the ids of the replicas. */
  answers(questionId: string): Promise<ReadonlyMap<string, string>>;
}

export interface Acknowledgement {
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch, by its own clock. */
  readonly startedAt: number;
  /** The store whose changes it reads; null where stores have no id. */
  readonly store: string | null;
  /** The number of the last change it has applied; 0 for none. */
  readonly applied: number;
  /** When that was; undefined: now. */
  readonly appliedAt: number | undefined;
}

export interface ReplicaState extends Omit<Acknowledgement, 'store'> {
  readonly appliedAt: number;
  readonly seenAt: number;
}

export interface ReplicaRoll {
  readonly now: number;
  /** The number of the last change; 0 if there was none. */
  readonly lastChange: number;
  readonly replicas: readonly ReplicaState[];
}

export interface MadeChange {
  readonly number: number;
  readonly madeAt: number;
}

/** Bounds that both stores share. */
export const FORGET_REPLICA_AFTER_S = 3_600;
export const FORGET_QUESTION_AFTER_S = 60;
export const MAX_QUESTIONS = 100;
export const MAX_ANSWERS = 1_000;
/** How far back `changeOf` looks. */
export const CHANGES_LOOKED_AT = 1_000;
