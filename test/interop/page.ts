import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownTable } from '../support/process-usage.ts';
import type { Cell, Outcome, Report, Table } from './neighbour.ts';

/** From what was seen to docs/interop.md. */

export const RESULTS = join(import.meta.dirname, 'results');
export const PAGE = join(import.meta.dirname, '../../docs/interop.md');

/** What `results` keeps of a neighbour's last run. */
export interface Result extends Report {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** The day, as yyyy-MM-dd. */
  readonly day: string;
}

/** Every folder beside this file that has a neighbour in it. */
export function neighbourNames(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((name) => existsSync(join(import.meta.dirname, name, 'neighbour.ts')))
    .toSorted();
}

export function readResults(): Result[] {
  if (!existsSync(RESULTS)) return [];
  return readdirSync(RESULTS)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => JSON.parse(readFileSync(join(RESULTS, file), 'utf8')) as Result);
}

export function count(tables: readonly Table[], outcome: Outcome): number {
  return cellsOf(tables).filter((cell) => cell.outcome === outcome).length;
}

export function cellsOf(tables: readonly Table[]): Cell[] {
  return tables.flatMap(({ rows }) => rows.flatMap(({ cells }) => Object.values(cells)));
}

const INTRO = `\
<!-- Written by \`npm run test:interop -- --write\` from test/interop/results. -->

# Real senders, real neighbours

What the software that people run did with a real Keygate: \`bin/keygate serve\` as it is installed, on free ports of the loopback
address, with a real Redis or SQLite behind it. Nothing is a mock. A cell says what was seen; it passes if the gateway gave the answer that it
promises and the neighbour did what its own documentation lets it do. Where a neighbour loses data by itself, the cell says so.

\`npm run test:interop\` runs all of it and needs Go, Python, Java and Rust; \`npm run test:interop -- collector sdk-python\` runs some. What each needs
is installed or built by its script, with pinned versions, and kept in \`node_modules/.cache\`. A toolchain that is absent makes cells that
say so. What a sender should be told to do is in [senders.md](senders.md); what the statuses mean is in [errors.md](errors.md).
`;

export function renderPage(results: readonly Result[]): string {
  const summary = markdownTable(
    ['neighbour', 'pass', 'fail', 'not installable', 'run on'],
    results.map(({ name, title, tables, day }) => [
      `[${title}](#${name})`,
      ...(['pass', 'fail', 'not installable'] as const).map((outcome) => String(count(tables, outcome))),
      day,
    ]),
  );
  return `${[INTRO, summary, '', ...results.map(renderResult)].join('\n').trimEnd()}\n`;
}

function renderResult({ name, title, about, versions, tables }: Result): string {
  const parts = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  return [
    `<a id="${name}"></a>`,
    '',
    `## ${title}`,
    '',
    about.trim(),
    '',
    `Versions: ${parts.join(', ')}.`,
    '',
    ...tables.map(renderTable),
  ].join('\n');
}

export function renderTable({ title, about, columns, rows }: Table): string {
  const table = markdownTable(
    ['', ...columns],
    rows.map(({ name, cells }) => [name, ...columns.map((column) => renderCell(cells[column]))].map(inOneCell)),
  );
  return [`### ${title}`, '', ...(about === undefined ? [] : [about, '']), table, ''].join('\n');
}

function renderCell(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  const { outcome, saw } = cell;
  return outcome === 'pass' ? saw : `**${outcome}**: ${saw}`;
}

/** Markdown's tables know no line breaks, and end a cell at a bar. */
function inOneCell(text: string): string {
  return text
    .replaceAll('|', String.raw`\|`)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
