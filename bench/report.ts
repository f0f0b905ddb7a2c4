import { readFile, writeFile } from 'node:fs/promises';
import type { PeerName } from './peers.ts';
import type { Scenario } from './scenarios.ts';

/** From what was measured to the tables of docs/benchmarks.md. */

export type Row = 'straight' | PeerName;

/** The medians of one server in one scenario. What was not measured is NaN. */
export type Cell = Readonly<
  Record<'perSecond' | 'busyPercent' | 'othersPercent' | 'cpuMicros' | 'rssMib' | 'p50Ms' | 'p99Ms', number>
>;

export interface Result {
  readonly scenario: Scenario;
  /** The pace of the latencies. */
  readonly pacePerSecond: number;
  readonly cells: Readonly<Partial<Record<Row, Cell>>>;
}

export const LABELS: Readonly<Record<Row, string>> = {
  straight: 'straight to the collector',
  wire: 'Keygate, wire plane',
  library: 'Keygate, library plane',
  nginx: 'nginx + Lua + lrucache + Redis',
  haproxy: 'HAProxy, one static key',
};
const ROWS = Object.keys(LABELS) as Row[];

/** Below this the server was waiting: the load or the collector was the limit, and the server can do more. */
const SATURATED_PERCENT = 90;
/** More than the kernel and what little runs on any machine. */
const DISTURBED_PERCENT = 10;

function isWaiting({ busyPercent }: Cell): boolean {
  return busyPercent < SATURATED_PERCENT;
}

export function renderScenario({ scenario, pacePerSecond, cells }: Result): string {
  const { straight } = cells;
  const lines = ROWS.flatMap((row) => {
    const cell = cells[row];
    if (cell === undefined) return [];
    const added = (which: 'p50Ms' | 'p99Ms') =>
      row === 'straight' ? ms(cell[which]) : signed(cell[which] - (straight?.[which] ?? Number.NaN));
    return [
      [
        LABELS[row],
        `${row !== 'straight' && isWaiting(cell) ? '≥ ' : ''}${whole(cell.perSecond)}`,
        row === 'straight' ? '' : `${whole(cell.busyPercent)} %`,
        row === 'straight' ? '' : cell.cpuMicros.toFixed(1),
        Number.isNaN(cell.p50Ms) ? '' : added('p50Ms'),
        Number.isNaN(cell.p99Ms) ? '' : added('p99Ms'),
        row === 'straight' ? '' : whole(cell.rssMib),
      ],
    ];
  });
  const pace = Number.isNaN(pacePerSecond) ? ['p50', 'p99'] : [`p50 at ${whole(pacePerSecond)}/s`, 'p99'];
  const rendered = table([scenario.name, 'requests/s', 'of its core', 'CPU µs each', ...pace, 'RSS, MiB'], lines);
  const others = Math.max(...Object.values(cells).map(({ othersPercent }) => othersPercent));
  const isQuiet = others < DISTURBED_PERCENT;
  return isQuiet ? rendered : `${rendered}\n\nNot alone: other programs took up to ${whole(others)} % of that core.`;
}

const RIVALS = ['nginx', 'haproxy', 'library'] as const;

/** How the wire plane stands against the goals: requests per second, and in brackets the CPU time of one. */
export function renderGoals(results: readonly Result[]): string {
  const throughput = results.map(({ scenario, cells }) => [
    scenario.name,
    ...RIVALS.map((rival) => ratio(cells.wire, cells[rival], scenario.goals?.[rival])),
  ]);
  const latency = results
    .filter(({ scenario }) => scenario.goals !== undefined)
    .map(({ scenario, cells }) => [
      `p99 added at half load, ${scenario.name}`,
      ...RIVALS.map((rival) => p99Ratio(cells, rival)),
    ]);
  const head = [LABELS.wire, ...RIVALS.map((rival) => `against ${LABELS[rival]}`)];
  return table(head, [...throughput, ...latency]);
}

function ratio(ours: Cell | undefined, theirs: Cell | undefined, goal: number | undefined): string {
  if (ours === undefined || theirs === undefined) return 'not measured';
  const requests = ours.perSecond / theirs.perSecond;
  const cpu = theirs.cpuMicros / ours.cpuMicros;
  const reached = `${requests.toFixed(2)}x (CPU ${cpu.toFixed(2)}x)`;
  if (goal === undefined) return reached;
  const isLoadTheLimit = isWaiting(ours) && cpu >= goal;
  const verdict = requests >= goal ? 'met' : isLoadTheLimit ? 'met in CPU time, the load was the limit' : 'missed';
  return `${reached}, goal ${goal}x: ${verdict}`;
}

function p99Ratio(cells: Result['cells'], rival: Row): string {
  const straight = cells.straight?.p99Ms ?? Number.NaN;
  const ours = (cells.wire?.p99Ms ?? Number.NaN) - straight;
  const theirs = (cells[rival]?.p99Ms ?? Number.NaN) - straight;
  if (Number.isNaN(ours) || Number.isNaN(theirs)) return '';
  return `${signed(ours)} to ${signed(theirs)}: ${ours <= theirs ? 'met' : 'missed'}`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')).replaceAll(' ', ''), ...rows.map(line)].join('\n');
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

/** What a server adds; less than nothing only where the measurement is worth no more. */
function signed(value: number): string {
  return value < 0 ? ms(value) : `+${ms(value)}`;
}

const END = '<!-- to here -->';

/** Puts the text between the markers of this command; all else of the page stays. */
export function between(page: string, command: string, text: string): string {
  const begin = `<!-- ${command} writes from here -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(END, from);
  if (from === -1 || to === -1) throw new Error(`the page has no place for the results: ${begin} … ${END}`);
  return `${page.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${page.slice(to)}`;
}

export async function writeInto(file: string, command: string, texts: readonly string[]): Promise<void> {
  await writeFile(file, between(await readFile(file, 'utf8'), command, texts.join('\n\n')));
}
