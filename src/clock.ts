/** Time as the gateway reads it; timers are the system's. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes back. */
  elapsed(): number;
}

export const SYSTEM_CLOCK: Clock = { now: Date.now, elapsed: () => performance.now() };
