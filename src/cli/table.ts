import { UNPRINTABLE } from '../keys/plain-text.ts';

/** A table as StackState's CLI prints it: no border, " | " between columns, every cell padded, the last one too. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const SEPARATOR = ' | ';

export interface TableStyle {
  /** Cells are wrapped so that no line is wider than this; without it, never. */
  readonly maxWidth?: number | undefined;
  readonly styleHeader?: (line: string) => string;
}

export function renderTable({ header, rows }: Table, { maxWidth, styleHeader = (line) => line }: TableStyle): string {
  const titles = header.map((title) => title.toUpperCase());
  const body = rows.map((row) => row.map(printable));
  const natural = titles.map((title, column) =>
    body.reduce((widest, row) => Math.max(widest, width(row[column] ?? '')), width(title)),
  );
  const widths = maxWidth === undefined ? natural : fit(natural, maxWidth - SEPARATOR.length * (natural.length - 1));
  const head = renderRow(titles, widths).map(styleHeader);
  return [...head, ...body.flatMap((row) => renderRow(row, widths))].map((line) => `${line}\n`).join('');
}

/** Columns below the average width keep it; the wider ones share what those leave over. */
function fit(natural: readonly number[], available: number): number[] {
  if (sum(natural) <= available) return [...natural];
  const average = Math.max(1, Math.floor(available / natural.length));
  const spare = sum(natural.map((columnWidth) => Math.max(0, average - columnWidth)));
  const wideColumns = natural.filter((columnWidth) => columnWidth >= average).length;
  const widest = average + Math.floor(spare / wideColumns);
  return natural.map((columnWidth) => Math.min(columnWidth, widest));
}

function renderRow(cells: readonly string[], widths: readonly number[]): string[] {
  const columns = widths.map((columnWidth, column) => wrap(cells[column] ?? '', columnWidth));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    widths.map((columnWidth, column) => pad(columns[column]?.[line] ?? '', columnWidth)).join(SEPARATOR),
  );
}

function wrap(text: string, columnWidth: number): string[] {
  if (text.length <= columnWidth) return [text]; // no text has more characters than code units
  const characters = charactersOf(text);
  const lines: string[] = [];
  for (let i = 0; i === 0 || i < characters.length; i += columnWidth) {
    lines.push(characters.slice(i, i + columnWidth).join(''));
  }
  return lines;
}

function pad(text: string, columnWidth: number): string {
  return text + ' '.repeat(Math.max(0, columnWidth - width(text)));
}

/** What a reader would count; those of East Asia are wider than one column, which is not known here. */
function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Nearly all there is; to segment the texts of a long table takes seconds. */
const ASCII = /^[\x20-\x7e]*$/;

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

function width(text: string): number {
  return ASCII.test(text) ? text.length : charactersOf(text).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

const UNPRINTABLES = new RegExp(UNPRINTABLE, 'gu');

/** Text may come from a server that others write to, so nothing in it may paint the screen. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLES, '\u{FFFD}');
}
