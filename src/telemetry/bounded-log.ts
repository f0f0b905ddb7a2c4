import type { LogLevel } from '../log-levels.ts';
import type { Log } from './log.ts';
import type { LogFields } from './redact.ts';

/** From the first line on, lines are counted for so long; then what was left out is told, and the counting begins anew. */
export const LOG_WINDOW_MS = 10_000;

/** Of lines that so many processes of one gateway may write together, those that each may: one at least. */
export function shareOfLines(lines: number, processes: number): number {
  return Math.max(1, Math.floor(lines / processes));
}

/** Which bound left a line out: see docs/logs.md. */
export type LineBound = 'source' | 'refusals' | 'requests' | 'repeated';

/** A time in which lines are counted; it begins when something is to be counted. */
export class LogWindow {
  readonly #onTurn: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onTurn: () => void) {
    this.#onTurn = onTurn;
  }

  open(): void {
    this.#timer ??= setTimeout(this.turn, LOG_WINDOW_MS).unref();
  }

  readonly turn = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#onTurn();
  };
}

export interface BoundedLog extends Log {
  /** Ends the window early. */
  turn(): void;
}

export interface BoundedLogOptions {
  readonly log: Log;
  readonly linesOfMessage: number;
  readonly dropped: (lines: number) => void;
}

/**
 * For lines that may come as fast as requests do, whatever makes them come: of each message so many in a window, and then one
 * that says how many were left out. Messages are fixed texts, so there are few of them.
 */
export function createBoundedLog({ log, linesOfMessage, dropped }: BoundedLogOptions): BoundedLog {
  const written = new Map<string, { lines: number; readonly level: LogLevel }>();
  const window = new LogWindow(() => {
    for (const [line, { lines, level }] of written) {
      if (lines > linesOfMessage)
        log(level, 'lines were left out of the log', { line, dropped: lines - linesOfMessage });
    }
    written.clear();
  });

  function write(level: LogLevel, message: string, fields?: LogFields): void {
    if (log.isEnabled?.(level) === false) return;
    window.open();
    let seen = written.get(message);
    if (seen === undefined) written.set(message, (seen = { lines: 0, level }));
    seen.lines += 1;
    if (seen.lines <= linesOfMessage) log(level, message, fields);
    else dropped(1);
  }

  return Object.assign(write, {
    isEnabled: (level: LogLevel) => log.isEnabled?.(level) ?? true,
    turn: window.turn,
  });
}
