import { pino } from 'pino';
import { SEVERITY } from '../log-levels.ts';
import type { LevelSetting, LogLevel } from '../log-levels.ts';
import { redactFields, redactText } from './redact.ts';
import type { LogFields } from './redact.ts';

/** One line: a fixed message and fields. Values that come from outside are fields, never part of the message. */
export interface Log {
  (level: LogLevel, message: string, fields?: LogFields): void;
  /** Whether lines of this level are written, for who would make many of them. Absent: all are. */
  readonly isEnabled?: (level: LogLevel) => boolean;
}

/** A log whose level may be changed while it is written. */
export interface AdjustableLog extends Log {
  readonly isEnabled: (level: LogLevel) => boolean;
  level(): LevelSetting;
  setLevel(level: LevelSetting): void;
}

export interface LogOptions {
  readonly level: LevelSetting;
  readonly format: 'auto' | 'json' | 'text';
  readonly output: {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    /** Bytes that are written and that nobody has taken yet. */
    readonly writableLength?: number;
  };
  /** Which of several processes of one gateway this is. */
  readonly worker?: number;
}

/** What may wait for whoever reads the log. One that hangs (a full disk behind it, a stopped terminal) must not fill our memory. */
const MAX_UNREAD_BYTES = 1 << 20;

export function createLog({ level, format, output, worker }: LogOptions): AdjustableLog {
  const asText = format === 'text' || (format === 'auto' && output.isTTY === true);
  const logger = pino(
    {
      level,
      base: { pid: process.pid, ...(worker !== undefined && { worker }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void output.write(asText ? toText(line) : line) },
  );
  let current = level;
  let least = SEVERITY[level];
  /** Asked by every request. */
  const isEnabled = (lineLevel: LogLevel): boolean => SEVERITY[lineLevel] >= least;
  let unread = 0;
  function write(lineLevel: LogLevel, message: string, fields: LogFields = {}): void {
    // Redacting is dear: not for a line that nobody will read.
    if (!isEnabled(lineLevel)) return;
    if ((output.writableLength ?? 0) > MAX_UNREAD_BYTES) {
      unread += 1;
      return;
    }
    if (unread > 0) logger.warn({ dropped: unread }, 'nobody read the log: lines were left out of it');
    unread = 0;
    logger[lineLevel](redactFields(fields), redactText(message));
  }
  return Object.assign(write, {
    isEnabled,
    level: () => current,
    setLevel(next: LevelSetting) {
      current = next;
      least = SEVERITY[next];
      logger.level = next;
    },
  });
}

/** `12:01:02.345 WARN  message  name=value …` for people; JSON is for machines. */
function toText(line: string): string {
  const { time, level, message, pid: _pid, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([name, value]) => `  ${name}=${quoteIfNeeded(String(value))}`);
  return `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${pairs.join('')}\n`;
}

function quoteIfNeeded(value: string): string {
  return /[\s"=]|^$/.test(value) ? JSON.stringify(value) : value;
}
