import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { Protocol } from '../plane/plane.ts';
import type { Assignment, ToOffice, ToWorker } from './messages.ts';
import type { Seat } from './spread.ts';

/** What a worker has told of itself. */
type Told = Omit<Extract<ToOffice, { kind: 'figures' }>, 'kind'>;

/** How its process ended; neither if it could not even be started. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface MemberEvents {
  heard(member: Member, message: ToOffice): void;
  /** It was asked for its figures, and has not told them in time. */
  silent(member: Member): void;
  /** Exactly once, after all that it has said. */
  ended(member: Member, end: End): void;
}

/** Whoever looks at metrics waits no longer than this for a worker that is stuck. */
const ANSWER_WITHIN_MS = 1_000;
/** It reads a few files, and makes contexts for TLS. */
const RELOAD_WITHIN_MS = 5_000;

/** One worker, as the office sees it: its process, and what it has told last. */
export class Member implements Seat {
  readonly worker: number;
  told: Told | undefined;
  isServing = false;
  /** It was given up, for it did not answer. */
  isHung = false;
  /** Why it could not start, in its own words. */
  objection: string | undefined;
  readonly #child: ChildProcess;
  readonly #events: MemberEvents;
  #questions = 0;
  #asking: Promise<boolean> | undefined;
  #reloaded: ((refusal: string | undefined) => void) | undefined;
  #answered: ((id: number | undefined) => void) | undefined;

  constructor(assignment: Assignment, child: ChildProcess, events: MemberEvents) {
    this.worker = assignment.worker;
    this.#child = child;
    this.#events = events;
    let hasEnded = false;
    const end = (how: End): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#answered?.(undefined);
      this.#reloaded?.(undefined); // whoever takes its place begins with the new one
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

  pass(port: Protocol, socket: Socket): void {
    this.send({ kind: 'connection', port }, socket);
  }

  /** Has it tell its figures; false if it did not in time. Whoever asks meanwhile gets the same answer. */
  tell(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** Has it take another configuration; says why it did not, if so. */
  async reload(config: Config): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const late = setTimeout(() => resolve(`it did not answer within ${RELOAD_WITHIN_MS / 1_000} s`), RELOAD_WITHIN_MS);
    this.#reloaded = resolve;
    this.send({ kind: 'reload', config });
    const refusal = await promise;
    clearTimeout(late);
    return refusal;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #note(message: ToOffice): void {
    if (message.kind === 'serving') this.isServing = true;
    else if (message.kind === 'unable') this.objection = message.why;
    else if (message.kind === 'reloaded') this.#reloaded?.(message.refusal);
    else if (message.kind === 'told') this.#answered?.(message.id);
    else if (message.kind === 'figures') this.told = { figures: message.figures, traffic: message.traffic };
  }

  async #ask(): Promise<boolean> {
    const question = (this.#questions += 1);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => {
      this.#events.silent(this);
      resolve(false);
    }, ANSWER_WITHIN_MS);
    this.#answered = (id) => (id === undefined || id === question) && resolve(id === question);
    this.send({ kind: 'tell', id: question });
    const isInTime = await promise;
    clearTimeout(late);
    return isInTime;
  }
}
