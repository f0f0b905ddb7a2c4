import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { Port } from '../plane/plane.ts';
import type { Assignment, Question, ToOffice, ToWorker } from './messages.ts';
import type { Seat } from './spread.ts';

/** What a worker has told of itself. */
type Told = Omit<Extract<ToOffice, { kind: 'figures' }>, 'kind'>;

/** What came of a question, and what did not come of it. */
type Answer = Extract<ToOffice, { kind: 'done' }> | 'late' | 'ended';

/** How its process ended; neither if it could not even be started. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface MemberEvents {
  heard(member: Member, message: ToOffice): void;
  /** It was asked for something, and has not done it in time. */
  silent(member: Member): void;
  /** Exactly once, after all that it has said. */
  ended(member: Member, end: End): void;
}

/** Whoever looks at metrics waits no longer than this for a worker that is stuck. */
const ANSWER_WITHIN_MS = 1_000;
/** It reads a few files, and makes contexts for TLS. */
const RELOAD_WITHIN_MS = 5_000;
/** Of questions whose answer nobody waits for. */
const UNASKED = 0;

/** One worker, as the office sees it: its process, and what it has told last. */
export class Member implements Seat {
  readonly worker: number;
  told: Told | undefined;
  /** `leaving`: it gets no more connections, and ends when those that it has are done. */
  stage: 'starting' | 'serving' | 'leaving' = 'starting';
  /** Somebody has told it to end. */
  wantsToLeave = false;
  /** It was given up, for it did not answer. */
  isHung = false;
  /** Why it had to end, in its own words. */
  objection: string | undefined;
  readonly #child: ChildProcess;
  readonly #events: MemberEvents;
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #questions = 0;
  #telling: Promise<boolean> | undefined;

  constructor(assignment: Assignment, child: ChildProcess, events: MemberEvents) {
    this.worker = assignment.worker;
    this.#child = child;
    this.#events = events;
    let hasEnded = false;
    const end = (how: End): void => {
      if (hasEnded) return;
      hasEnded = true;
      for (const answer of this.#asked.values()) answer('ended');
      events.ended(this, how);
    };
    child.on('message', (message) => {
      this.#note(message as ToOffice);
      events.heard(this, message as ToOffice);
    });
    // Not `exit`: what it has said last may come after that.
    child.on('close', (code, signal) => end({ code, signal }));
    child.on('error', (error) => {
      if (child.pid !== undefined) return; // a message that it will not get: it is about to end
      this.objection = error.message;
      end({ code: null, signal: null });
    });
    this.send({ kind: 'begin', ...assignment });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToWorker, socket?: Socket): void {
    if (!this.#child.connected) return void socket?.destroy();
    this.#child.send(message, socket, {}, (error) => {
      if (error) socket?.destroy();
    });
  }

  pass(port: Port, socket: Socket): void {
    this.send({ kind: 'connection', port }, socket);
  }

  /** Has it tell its figures; false if it did not in time. Whoever asks meanwhile gets the same answer. */
  tell(): Promise<boolean> {
    this.#telling ??= this.#ask({ kind: 'tell' }, ANSWER_WITHIN_MS)
      .then((answer) => typeof answer === 'object')
      .finally(() => (this.#telling = undefined));
    return this.#telling;
  }

  /** Has it judge another configuration; says why it cannot use it, if so. One that ends meanwhile has no say. */
  async prepare(config: Config): Promise<string | undefined> {
    const answer = await this.#ask({ kind: 'prepare', config }, RELOAD_WITHIN_MS);
    if (answer === 'late') return `it did not answer within ${RELOAD_WITHIN_MS / 1_000} s`;
    return answer === 'ended' ? undefined : answer.refusal;
  }

  /** Has it take what it has prepared. One that is late does so before it hears anything else. */
  async take(): Promise<void> {
    await this.#ask({ kind: 'take' }, RELOAD_WITHIN_MS);
  }

  /** Has it take a configuration that the others have judged, as soon as it has started; if it cannot, it ends. */
  adopt(config: Config): void {
    this.send({ kind: 'prepare', config, id: UNASKED });
    this.send({ kind: 'take', id: UNASKED });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #note(message: ToOffice): void {
    if (message.kind === 'serving') this.stage = 'serving';
    else if (message.kind === 'leaving') this.wantsToLeave = true;
    else if (message.kind === 'unable') this.objection = message.why;
    else if (message.kind === 'done') this.#asked.get(message.id)?.(message);
    else if (message.kind === 'figures') this.told = { figures: message.figures, traffic: message.traffic };
  }

  async #ask(question: Question, withinMs: number): Promise<Answer> {
    const id = (this.#questions += 1);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const late = setTimeout(() => {
      this.#events.silent(this);
      resolve('late');
    }, withinMs);
    this.#asked.set(id, resolve);
    this.send({ ...question, id });
    const answer = await promise;
    clearTimeout(late);
    this.#asked.delete(id);
    return answer;
  }
}
