import { MAX_DISCARD_MS } from '../../discarding.ts';
import type { PlaneLimits } from '../../plane.ts';
import { FAREWELL_MS } from '../server-connection.ts';

/** What a connection waits for. */
export type Wait = 'first' | 'head' | 'idle' | 'request' | 'discard' | 'linger';

/** What becomes of it: it goes on, is ended in order, or at once, and by which budget. */
export type Patience = 'fine' | 'end' | 'destroy' | 'time' | 'unread_output';

/** Idle connections stay for longer than is announced, so that their senders close them first and lose no request. */
const KEEP_ALIVE_SLACK_MS = 1_000;
/** How long a connection that is over may stay half open when all that was to be said has left. */
const LINGER_MS = 1_000;
const UNKNOWN = 0;

/** What a connection waits for, and since when: it is given only so much time for each. */
export class Waiting {
  what: Wait = 'first';
  /** From the first look on. */
  #sinceMs = UNKNOWN;
  #isLeaving = false;

  for(what: Wait): void {
    if (this.what === what) return;
    this.what = what;
    this.#sinceMs = UNKNOWN;
  }

  /**
   * From now on, silence is the end. Not at once: a request that crosses our FIN is never answered, most clients send no POST again
   * by themselves (RFC 9112 section 9.3.1), and some exporters drop their data then. One that comes in time is answered, and
   * that answer is the last one.
   */
  leave(): void {
    this.#isLeaving = true;
    if (this.#isForRequest) this.#sinceMs = UNKNOWN;
  }

  get #isForRequest(): boolean {
    return this.what === 'idle' || this.what === 'first';
  }

  check(nowMs: number, limits: PlaneLimits, isUnread: boolean): Patience {
    if (this.#sinceMs === UNKNOWN) this.#sinceMs = nowMs;
    const waitedMs = nowMs - this.#sinceMs;
    if (this.#isLeaving && this.#isForRequest && waitedMs >= FAREWELL_MS) return 'end';
    switch (this.what) {
      case 'request':
        return 'fine'; // it has limits of its own
      case 'idle':
        if (waitedMs < limits.idleTimeoutMs + KEEP_ALIVE_SLACK_MS) return 'fine';
        return isUnread ? 'unread_output' : 'end';
      case 'first':
      case 'head':
        // Without a status: on 408 its sender would delete its data, on a closed connection it retries.
        return waitedMs >= limits.headersTimeoutMs ? 'time' : 'fine';
      case 'discard':
        return waitedMs >= Math.min(MAX_DISCARD_MS, limits.bodyTimeoutMs) ? 'time' : 'fine';
      case 'linger':
        if (isUnread) return waitedMs >= limits.idleTimeoutMs ? 'unread_output' : 'fine';
        return waitedMs >= LINGER_MS ? 'destroy' : 'fine';
    }
  }
}
