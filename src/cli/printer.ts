import type { CliError } from './errors.ts';
import { printable, renderTable } from './table.ts';
import type { Table } from './table.ts';
import type { Output } from './terminal.ts';

export interface PrinterOptions {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly json: boolean;
  /** Off: words instead of symbols, and no colours. On, colours still need a terminal. */
  readonly colour: boolean;
}

/** Everything a command says to people or to scripts. */
export interface Printer {
  readonly json: boolean;
  readonly success: (message: string) => void;
  /** A value that is to be seen at a glance. */
  readonly emphasise: (text: string) => string;
  /** The table, or the sentence that says there is nothing to show; how to see less is told of a long one on a terminal. */
  readonly table: (table: Table, nothing: string, less?: string) => void;
  readonly line: (text: string) => void;
  /** What is known of one thing, a line each; what has no value is left out. */
  readonly fields: (fields: readonly (readonly [label: string, value: string | undefined])[]) => void;
  readonly printJson: (value: unknown) => void;
  readonly error: (error: CliError) => void;
}

/** "Description: " */
const LABEL_WIDTH = 13;
/** More rows than anybody reads one by one. */
const LONG_TABLE = 500;

const CYAN = '36';
const WHITE = '37';

export function createPrinter({ stdout, stderr, json, colour }: PrinterOptions): Printer {
  const ansi = colour && stdout.isTTY === true;
  const paint = (code: string, text: string): string => (ansi ? `\u{1b}[${code}m${text}\u{1b}[0m` : text);
  const symbol = (sign: string, word: string): string => (colour ? sign : `[${word}]`);

  return {
    json,
    success: (message) => void stdout.write(`${symbol('✅', 'SUCCESS')} ${message}\n`),
    emphasise: (text) => paint(WHITE, text),
    table: (table, nothing, less) => {
      const maxWidth = stdout.isTTY === true ? stdout.columns : undefined;
      const style = { maxWidth, styleHeader: (line: string) => paint(CYAN, line) };
      stdout.write(table.rows.length === 0 ? `${nothing}\n` : renderTable(table, style));
      // To standard error, so that it is in no pipe or file; behind the table, where it is seen.
      if (less !== undefined && stdout.isTTY === true && table.rows.length > LONG_TABLE) {
        stderr.write(`${table.rows.length.toLocaleString('en')} rows: ${less}\n`);
      }
    },
    line: (text) => void stdout.write(`${text}\n`),
    fields: (fields) => {
      for (const [label, value] of fields) {
        if (value !== undefined) stdout.write(`${`${label}:`.padEnd(LABEL_WIDTH)}${printable(value)}\n`);
      }
    },
    printJson: (value) => void stdout.write(toJson(value)),
    error: ({ message, reason, details }) => {
      const inJson = reason === undefined ? message : `${message}: ${reason}`;
      const lines = (details === undefined ? message : `${message}\n${details.trimEnd()}`).split('\n');
      const inText = lines.map(printable).join('\n');
      stderr.write(json ? toJson({ error: true, 'error-message': inJson }) : `${symbol('❌', 'ERROR')} ${inText}\n`);
    },
  };
}

/** Keys in alphabetical order, so that output is the same from run to run and easy to compare. */
function toJson(value: unknown): string {
  return `${JSON.stringify(sortKeys(value), null, 2)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, sortKeys(inner)]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
