import type { Output } from './terminal.ts';

export interface ProgressOptions {
  readonly stderr: Output;
  /** Milliseconds. */
  readonly now: () => number;
  /** "imported" */
  readonly verb: string;
}

/** Tells standard error how far a long run is; a short one says nothing. */
export interface Progress {
  /** `share` is from 0 to 1, if it is known. */
  at(count: number, share?: number): void;
  /** Something else is to be said: makes room for it. */
  interrupt(): void;
  end(): void;
}

const QUIET_MS = 1_000;
const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 10_000;
const BAR_WIDTH = 24;

/** A bar that is drawn over on a terminal; elsewhere, as in the log of a CI, a line every so often. */
export function createProgress({ stderr, now, verb }: ProgressOptions): Progress {
  const isTerminal = stderr.isTTY === true;
  const intervalMs = isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
  const startedAt = now();
  let toldAt = startedAt + QUIET_MS - intervalMs;
  let isDrawn = false;

  function clear(): void {
    if (isDrawn) stderr.write('\r\u{1b}[2K');
    isDrawn = false;
  }

  return {
    at(count, share) {
      const nowMs = now();
      if (nowMs - toldAt < intervalMs) return;
      toldAt = nowMs;
      const perSecond = Math.round((count / (nowMs - startedAt)) * 1_000);
      const told = `${format(count)} ${verb}, ${format(perSecond)}/s`;
      if (!isTerminal)
        return void stderr.write(`keygate: ${told}${share === undefined ? '' : `, ${percent(share)}`}\n`);
      clear();
      stderr.write(share === undefined ? told : `${bar(share)} ${percent(share)}  ${told}`);
      isDrawn = true;
    },
    interrupt: clear,
    end: clear,
  };
}

function bar(share: number): string {
  const done = Math.round(Math.min(share, 1) * BAR_WIDTH);
  return `[${'#'.repeat(done)}${' '.repeat(BAR_WIDTH - done)}]`;
}

function percent(share: number): string {
  return `${Math.floor(Math.min(share, 1) * 100)}%`.padStart(4);
}

/** With commas, whatever the language of the machine: 1,000,000. */
function format(count: number): string {
  return count.toLocaleString('en-US');
}
