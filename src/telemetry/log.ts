import { pino } from 'pino';
import { redactFields, redactText } from './redact.ts';
import type { LogFields } from './redact.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line: a fixed message and fields. Values that come from outside are fields, never part of the message. */
export interface Log {
  (level: LogLevel, message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel | 'silent';
  readonly format: 'auto' | 'json' | 'text';
  readonly output: { write(text: string): unknown; readonly isTTY?: boolean };
}

export function createLog({ level, format, output }: LogOptions): Log {
  const asText = format === 'text' || (format === 'auto' && output.isTTY === true);
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void output.write(asText ? toText(line) : line) },
  );
  return (lineLevel, message, fields = {}) => {
    // Redacting costs more than anything else on a request's way: not for a line that nobody will read.
    if (logger.isLevelEnabled(lineLevel)) logger[lineLevel](redactFields(fields), redactText(message));
  };
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
