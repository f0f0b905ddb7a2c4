/** Asks the store now and then whether it answers, and tells when that changes. */
export interface StoreMonitor {
  /** Resolves after the first answer, whichever it is. */
  start(): Promise<void>;
  /** Whether the store has answered at all since the start. */
  everUp(): boolean;
  stop(): void;
}

export interface StoreMonitorOptions {
  readonly ping: () => Promise<void>;
  readonly changed: (state: 'up' | 'down', cause: Error | undefined) => void;
}

const INTERVAL_MS = 1_000;

export function createStoreMonitor({ ping, changed }: StoreMonitorOptions): StoreMonitor {
  let state: 'up' | 'down' | undefined;
  let everUp = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    const cause = await ping().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    if (stopped) return;
    const next = cause === undefined ? 'up' : 'down';
    everUp ||= next === 'up';
    if (next !== state) changed(next, cause);
    state = next;
    // The next look begins after this one has ended: a store that hangs is asked once at a time.
    timer = setTimeout(() => void look(), INTERVAL_MS).unref();
  }

  return {
    start: look,
    everUp: () => everUp,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
