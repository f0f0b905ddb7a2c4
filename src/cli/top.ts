import { setTimeout as delay } from 'node:timers/promises';
import type { ShownRefusedSource, ShownTraffic } from '../admin/traffic.ts';
import type { CliCommand } from './cli-command.ts';
import { DEFAULT_SOURCES, MOST_SOURCES } from '../admin/shown-sources.ts';
import { addCommand, invalidArgument } from './command.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { printable } from './table.ts';
import type { Table } from './table.ts';
import type { Output } from './terminal.ts';
import { formatTime, parseCount } from './values.ts';

interface TopFlags {
  readonly interval?: string;
  readonly sources?: string;
  readonly once?: boolean;
}

const DEFAULT_INTERVAL_S = 2;
const MOST_INTERVAL_S = 3_600;

/** What stands around the sources besides the numbers: an empty line, the titles, and the line that the cursor is on. */
const OTHER_LINES = 3;

/** To the corner, and nothing below it. What was seen last stays when the command is interrupted. */
const CLEAR = '\u{1b}[H\u{1b}[J';

/** keygate top */
export function addTop(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'top',
    summary: 'Watch what a gateway lets through, and who is refused most',
    description:
      'Watch the requests that pass a gateway, by verdict and reason, and who is refused most: from where, with which\n' +
      'program and key, why, and whether it worked before. Those that did are the ones who will call. It shows the gateway\n' +
      'that --url leads to, until it is interrupted; on what is no terminal, once.',
    examples: [
      {
        about: 'there is a spike of 403s: who is it?',
        line: 'keygate top --url http://gateway:7070 --service-token $TOKEN',
      },
      { about: 'for a script', line: 'keygate top -o json | jq -r .traffic.refusedSources[0].peer' },
    ],
  })
    .option('--sources <int>', `Show so many refused sources (default ${DEFAULT_SOURCES}, at most ${MOST_SOURCES})`)
    .option('--interval <int>', `Seconds between two looks (default ${DEFAULT_INTERVAL_S})`)
    .option('--once', 'Look once');

  does<TopFlags>(command, runtime, async ({ flags, terminal, printer, withKeyAdmin }) => {
    const most = flags.sources === undefined ? DEFAULT_SOURCES : parseCount(flags.sources, '--sources');
    if (most > MOST_SOURCES) throw invalidArgument(String(most), '--sources', `it must be at most ${MOST_SOURCES}`);
    const seconds = flags.interval === undefined ? DEFAULT_INTERVAL_S : parseCount(flags.interval, '--interval');
    if (seconds < 1 || seconds > MOST_INTERVAL_S)
      throw invalidArgument(String(seconds), '--interval', `it must be from 1 to ${MOST_INTERVAL_S}`);
    const isLive = terminal.stdout.isTTY === true && !printer.json && flags.once !== true;
    await withKeyAdmin(async (admin) => {
      let last: ShownTraffic | undefined;
      for (;;) {
        const traffic = await admin.traffic(most);
        if (printer.json) return printer.printJson({ traffic });
        if (isLive) terminal.stdout.write(CLEAR);
        const summary = summaryOf(traffic, last);
        for (const line of summary) printer.line(line);
        printer.line('');
        const shown = traffic.refusedSources.slice(0, isLive ? roomBelow(summary, terminal.stdout) : most);
        printer.table(tableOf({ ...traffic, refusedSources: shown }), 'Nobody was refused lately.');
        if (!isLive) return;
        last = traffic;
        await delay(seconds * 1_000);
      }
    });
  });
}

/** How many sources the screen has room for: the first ones are those that matter, and must not be scrolled away. */
export function roomBelow(summary: readonly string[], { rows, columns }: Pick<Output, 'rows' | 'columns'>): number {
  if (rows === undefined || columns === undefined) return MOST_SOURCES;
  const taken = summary.reduce((lines, { length }) => lines + Math.max(1, Math.ceil(length / columns)), OTHER_LINES);
  return Math.max(1, rows - taken);
}

/** Requests by verdict and reason: a second since the last look, or in all at the first. */
function summaryOf(traffic: ShownTraffic, last: ShownTraffic | undefined): string[] {
  const { gateway, at, since, outcomes } = traffic;
  const passedS = last === undefined ? undefined : (at - last.at) / 1_000;
  const nameOf = ({ verdict, reason }: Outcome): string => (reason === undefined ? verdict : `${verdict} ${reason}`);
  const before = new Map(last?.outcomes.map((outcome) => [nameOf(outcome), outcome.count]));
  const numbers = outcomes
    .toSorted((a, b) => b.count - a.count)
    .map((outcome) => {
      const name = nameOf(outcome);
      const { count } = outcome;
      return passedS === undefined
        ? `${name} ${count.toLocaleString('en')}`
        : `${name} ${((count - (before.get(name) ?? 0)) / passedS).toFixed(0)}/s`;
    });
  return [
    printable(
      `${gateway}, ${formatTime(at)}: requests ${passedS === undefined ? `since ${formatTime(since)}` : 'a second'}`,
    ),
    numbers.length === 0 ? 'none yet' : numbers.join(' | '),
  ];
}

type Outcome = ShownTraffic['outcomes'][number];

function tableOf({ at, refusedSources }: ShownTraffic): Table {
  return {
    header: ['refused/s', 'count', 'reason', 'from', 'key', 'worked', 'program'],
    rows: refusedSources.map((source) => [
      source.perSecond.toFixed(source.perSecond < 10 ? 1 : 0),
      source.count.toLocaleString('en'),
      source.reason,
      source.peer,
      keyOf(source),
      source.workedAt === undefined ? '-' : `${ago(at - source.workedAt)} ago`,
      source.userAgent ?? '-',
    ]),
    wraps: ['key', 'program'],
    below: ['program'],
  };
}

function keyOf({ keyName, keyId, fingerprint }: ShownRefusedSource): string {
  if (keyId !== undefined) return `${keyName} (${keyId})`;
  return fingerprint === undefined ? '-' : `unknown ${fingerprint}`;
}

/** In the largest unit that fits. */
function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}
