/**
 * What went wrong at an address. `unreachable`: no connection came about, or no TLS on it. `lost`: a connection broke with
 * requests on it, or an answer did not come within the gateway's own time. `unavailable`: 502, 503 or 504 of something in
 * front of the collector. The time that a sender gives is none of these, nor is a status of the collector's own: senders
 * could have addresses ejected.
 */
export type EndpointFailure = 'unreachable' | 'lost' | 'unavailable';

/** How near each failure brings an address to being ejected. What says little counts little. */
const WEIGHTS: Readonly<Record<EndpointFailure, number>> = { unreachable: 30, lost: 10, unavailable: 3 };
const EJECTED_AT = 30;

const FIRST_EJECTION_MS = 1_000;
const MAX_EJECTION_MS = 30_000;

/** Connects to an address and hangs up again: whether that was possible. */
export type Probe = (endpoint: Endpoint) => Promise<boolean>;

export interface EndpointOptions {
  readonly address: string;
  readonly port: number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly probe: Probe | undefined;
  /** Asked before it is ejected for what may be no fault of its own. */
  readonly canBeSpared: () => boolean;
  /** Hears when it is ejected, and when it is back. */
  readonly changed: (endpoint: Endpoint) => void;
}

/**
 * One address of the collector, and whether it is well. One at which requests fail again and again is ejected: it gets
 * no requests for a second, then two, up to 30. After that it must pass the probe, if there is one, and is on trial until
 * its first success: one failure more and it is out again.
 */
export class Endpoint {
  readonly address: string;
  readonly port: number;
  readonly #options: EndpointOptions;
  #points = 0;
  #ejections = 0;
  #isEjected = false;
  #isRetired = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EndpointOptions) {
    this.address = options.address;
    this.port = options.port;
    this.#options = options;
  }

  get isEjected(): boolean {
    return this.#isEjected;
  }

  /** It is no address of the collector any more: what is open there may finish. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Once for a connection that broke, however many requests were on it. */
  failed(failure: EndpointFailure): void {
    // The failures of an outage come in hundreds: they are one reason to be ejected, not hundreds to stay it longer.
    if (this.#isEjected || this.#isRetired) return;
    const isOnTrial = this.#ejections > 0 && failure !== 'unavailable';
    this.#points += isOnTrial ? EJECTED_AT : WEIGHTS[failure];
    if (this.#points < EJECTED_AT) return;
    this.#points = 0;
    // All may be overloaded. The more of them are ejected for that, the worse the rest would fare.
    if (failure === 'unavailable' && !this.#options.canBeSpared()) return;
    this.#isEjected = true;
    this.#wait();
    this.#options.changed(this);
  }

  /** The collector answered, whatever it said. Called for every answer. */
  succeeded(): void {
    if (this.#ejections === 0 && this.#points === 0) return;
    this.#points = 0;
    this.#ejections = 0;
    this.#comeBack();
  }

  retire(): void {
    this.#isRetired = true;
    clearTimeout(this.#timer);
  }

  /** Each time for twice as long, but never exactly: those who were ejected together are not tried again together. */
  #wait(): void {
    const ms = Math.min(FIRST_EJECTION_MS * 2 ** this.#ejections, MAX_EJECTION_MS);
    this.#ejections = Math.min(this.#ejections + 1, 10); // 2 ** 10 s is far beyond the longest
    this.#timer = setTimeout(() => this.#timeIsUp(), ms * (0.8 + 0.2 * this.#options.random())).unref();
  }

  #timeIsUp(): void {
    const { probe } = this.#options;
    if (probe === undefined) return this.#comeBack();
    this.#wait(); // whatever becomes of the probe, there will be another one
    probe(this).then(
      (passed) => passed && this.#comeBack(),
      () => {}, // a probe that breaks has not passed
    );
  }

  #comeBack(): void {
    if (!this.#isEjected || this.#isRetired) return;
    clearTimeout(this.#timer);
    this.#isEjected = false;
    this.#options.changed(this);
  }
}
