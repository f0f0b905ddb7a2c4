import { UNPRINTABLE } from '../keys/plain-text.ts';

/** A table as StackState's CLI prints it: no border, " | " between columns, every cell padded, the last one too. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The titles of the columns that are wrapped where there is too little room; ids, dates and states are only of use whole. */
  readonly wraps: readonly string[];
  /** The titles of the columns at the end that go below the others, where all of them do not fit side by side. */
  readonly below?: readonly string[];
}

const SEPARATOR = ' | ';

export interface TableStyle {
  /** Cells are wrapped so that no line is wider than this; without it, never. */
  readonly maxWidth?: number | undefined;
  readonly styleHeader?: (line: string) => string;
}

export function renderTable(table: Table, { maxWidth, styleHeader = (line) => line }: TableStyle): string {
  const { header, rows, wraps, below = [] } = table;
  const titles = header.map((title) => title.toUpperCase());
  const body = rows.map((row) => row.map(printable));
  const natural = titles.map((title, column) =>
    body.reduce((widest, row) => Math.max(widest, width(row[column] ?? '')), width(title)),
  );
  const fits = maxWidth === undefined || sum(natural) + separatorsOf(natural) <= maxWidth;
  const beside = fits ? header.length : header.filter((title) => !below.includes(title)).length;
  const columns = natural.slice(0, beside);
  const mayWrap = header.map((title) => wraps.includes(title));
  const widths = fits ? columns : fit(columns, mayWrap, maxWidth - separatorsOf(columns));
  const render = (row: readonly string[]): string[] => [
    ...renderRow(row, widths),
    ...(beside === header.length || fits ? [] : renderBelow(row.slice(beside), maxWidth)),
  ];
  return [...render(titles).map(styleHeader), ...body.flatMap(render)].map((line) => `${line}\n`).join('');
}

/** A wrapped column stays readable; on a terminal that is too narrow for it, lines are wider than that. */
const MIN_WRAPPED = 6;

/**
 * Columns that must stay whole do. Of the others, those below the average width keep it; the wider ones share what those
 * leave over.
 */
function fit(natural: readonly number[], mayWrap: readonly boolean[], available: number): number[] {
  const wrapped = natural.filter((_, column) => mayWrap[column]);
  const room = available - (sum(natural) - sum(wrapped));
  if (sum(wrapped) <= room) return [...natural];
  const average = Math.max(MIN_WRAPPED, Math.floor(room / wrapped.length));
  const spare = sum(wrapped.map((columnWidth) => Math.max(0, average - columnWidth)));
  const wideColumns = wrapped.filter((columnWidth) => columnWidth >= average).length;
  const widest = average + Math.floor(spare / Math.max(1, wideColumns));
  return natural.map((columnWidth, column) => (mayWrap[column] ? Math.min(columnWidth, widest) : columnWidth));
}

function separatorsOf(columns: readonly number[]): number {
  return SEPARATOR.length * (columns.length - 1);
}

const INDENT = '    ';

function renderBelow(cells: readonly string[], maxWidth: number): string[] {
  const room = Math.max(MIN_WRAPPED, maxWidth - INDENT.length);
  return wrap(cells.join(SEPARATOR), room).map((line) => `${INDENT}${line}`);
}

function renderRow(cells: readonly string[], widths: readonly number[]): string[] {
  const columns = widths.map((columnWidth, column) => wrap(cells[column] ?? '', columnWidth));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    widths.map((columnWidth, column) => pad(columns[column]?.[line] ?? '', columnWidth)).join(SEPARATOR),
  );
}

/** Between words, as long as that leaves no line nearly empty. */
function wrap(text: string, columnWidth: number): string[] {
  if (text.length <= columnWidth) return [text]; // no text has more characters than code units
  const lines: string[] = [];
  let rest: readonly string[] = charactersOf(text);
  while (rest.length > columnWidth) {
    const end = breakBefore(rest, columnWidth);
    lines.push(rest.slice(0, end).join('').trimEnd());
    rest = rest.slice(rest[end] === ' ' ? end + 1 : end);
  }
  return rest.length === 0 ? lines : [...lines, rest.join('')];
}

/** Where a word ends: behind these, and at a space. */
const WORD_ENDS = new Set(' -_,/.:');

function breakBefore(characters: readonly string[], columnWidth: number): number {
  for (let end = columnWidth; end > columnWidth / 3; end--) {
    if (characters[end] === ' ' || WORD_ENDS.has(characters[end - 1] ?? '')) return end;
  }
  return columnWidth;
}

function pad(text: string, columnWidth: number): string {
  return text + ' '.repeat(Math.max(0, columnWidth - width(text)));
}

/** What a reader would count; those of East Asia are wider than one column, which is not known here. */
function charactersOf(text: string): string[] {
  if (ASCII.test(text)) return text.split('');
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
