import { setTimeout as delay } from 'node:timers/promises';
import type { KeyStore } from '../store/port.ts';
import { answerFromStore, keyAnswerSchema, questionSchema } from './answers.ts';
import type { Question, ReplicaAnswer } from './answers.ts';
import { isLive } from './progress.ts';

export interface ReplicaExplanation {
  readonly name: string;
  readonly version: string;
  /** Absent: it did not answer in time. */
  readonly answer?: ReplicaAnswer;
}

export interface Explanation {
  /** What whoever has nothing in memory would say. */
  readonly store: ReplicaAnswer;
  /** Those that are live. */
  readonly replicas: readonly ReplicaExplanation[];
}

export interface ExplainOptions {
  readonly store: KeyStore;
  readonly now: () => number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 2_000;
const POLL_MS = 10;
/** Questions that a replica has not answered yet; more are left unanswered. */
const MAX_OPEN = 100;

/** Asks every live replica through the store what it would say to a key; where the store is away, only that is said. */
export async function explain(question: Question, options: ExplainOptions): Promise<Explanation> {
  const { store, now, timeoutMs = TIMEOUT_MS } = options;
  const ofStore = await answerFromStore(question, (digests) => store.find(digests), now());
  const deadline = performance.now() + timeoutMs;
  const roll = await store.replicas.replicas();
  const live = roll.replicas.filter((replica) => isLive(replica, roll, store.replicas));
  let answers: ReadonlyMap<string, string> = new Map();
  if (live.length > 0) {
    const questionId = await store.replicas.ask(JSON.stringify(question));
    do {
      await delay(POLL_MS);
      answers = await store.replicas.answers(questionId);
    } while (performance.now() < deadline && !live.every(({ id }) => answers.has(id)));
  }
  const replicas = live.map(({ id, name, version }) => {
    const answer = readAnswer(answers.get(id));
    return { name, version, ...(answer && { answer }) };
  });
  return { store: ofStore, replicas: replicas.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))) };
}

/** Answers what is asked of this replica, one after another. */
export function createResponder(
  replicaId: string,
  store: KeyStore['replicas'],
  answerTo: (question: Question) => Promise<ReplicaAnswer | undefined>,
) {
  let open = 0;
  let last: Promise<void> = Promise.resolve();

  async function respond(questionId: string, text: string): Promise<void> {
    const parsed = questionSchema.safeParse(parse(text));
    // One from another version, or from nobody of ours: whoever asked sees that there is no answer.
    const answer = parsed.success ? await answerTo(parsed.data) : undefined;
    if (answer !== undefined) await store.answer(questionId, replicaId, JSON.stringify(answer));
  }

  return (questionId: string, text: string): void => {
    if (open >= MAX_OPEN) return;
    open++;
    last = last
      .then(() => respond(questionId, text))
      .catch(() => undefined)
      .finally(() => open--);
  };
}

function readAnswer(text: string | undefined): ReplicaAnswer | undefined {
  return text === undefined ? undefined : keyAnswerSchema.safeParse(parse(text)).data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
