import type { Arrival } from '../../support/collector.ts';
import { decodeArrival } from '../../support/telemetry.ts';
import type { SdkSignal } from '../../support/telemetry.ts';

/** What became of what an SDK was asked to send. */
export interface Account {
  readonly spans: Tally;
  readonly logs: Tally;
  /** How often its counter arrived. */
  readonly counters: number;
  /** What it said of it. */
  readonly output: string;
}

export interface Tally {
  readonly sent: number;
  readonly lost: number;
  /** They arrived more than once. */
  readonly doubled: number;
}

const SIGNALS: Readonly<Record<SdkSignal, RegExp>> = {
  traces: /\/v1\/traces$|TraceService\//,
  metrics: /\/v1\/metrics$|MetricsService\//,
  logs: /\/v1\/logs$|LogsService\//,
};

/** The names of all spans, metrics or log records that have arrived, each as often as it did. */
export function arrivedNames(arrivals: readonly Arrival[], signal: SdkSignal): string[] {
  return arrivals
    .filter(({ path }) => SIGNALS[signal].test(path))
    .flatMap((arrival) => decodeArrival(signal, arrival).items);
}

export function accountOf(
  { name, count }: { readonly name: string; readonly count: number },
  arrivals: readonly Arrival[],
  output: string,
): Account {
  const wanted = Array.from({ length: count }, (_, i) => `${name}-${i}`);
  const tally = (signal: SdkSignal): Tally => {
    const times = new Map(wanted.map((item) => [item, 0]));
    for (const item of arrivedNames(arrivals, signal)) {
      const before = times.get(item);
      if (before !== undefined) times.set(item, before + 1);
    }
    const all = [...times.values()];
    return { sent: count, lost: all.filter((n) => n === 0).length, doubled: all.filter((n) => n > 1).length };
  };
  const counters = arrivedNames(arrivals, 'metrics').filter((metric) => metric === `${name}.total`).length;
  return { spans: tally('traces'), logs: tally('logs'), counters, output };
}

export function isWhole({ spans, logs }: Account): boolean {
  return spans.lost + logs.lost === 0;
}

/** In a few words. Nothing may have arrived twice: whatever the senders repeat, they were told to. */
export function tellAccount({ spans, logs }: Account): string {
  const doubled = spans.doubled + logs.doubled;
  if (doubled > 0) throw new Error(`${doubled} spans and log records arrived twice`);
  if (spans.lost + logs.lost === 0) return `all ${spans.sent} spans and ${logs.sent} log records arrived, once`;
  const part = (what: string, { sent, lost }: Tally): string => `${sent - lost} of ${sent} ${what}`;
  return `${part('spans', spans)} and ${part('log records', logs)} arrived, once`;
}

const TROUBLE = /error|fail|refus|denied|forbidden|unavailable|exhausted|retry|drop|lost|40[13]|429|50[0-9]/i;
const LINE_LENGTH = 160;

/** The first line in which it says that something is wrong, if possible one with these words; around them, if it is long. */
export function complaint(output: string, words: RegExp): string | undefined {
  const lines = output
    .split('\n')
    .map((line) => withoutChance(line).trim())
    .filter((line) => TROUBLE.test(line) || words.test(line));
  const text = lines.find((line) => words.test(line)) ?? lines[0];
  if (text === undefined) return undefined;
  const from = text.length > LINE_LENGTH ? Math.max(0, text.search(words) - LINE_LENGTH / 2) : 0;
  const to = from + LINE_LENGTH;
  return `${from > 0 ? '… ' : ''}${text.slice(from, to)}${text.length > to ? ' …' : ''}`.replaceAll('`', "'");
}

/** Times, ports and ids are others in the next run; bytes of protobuf say nothing to anybody. */
function withoutChance(line: string): string {
  return line
    .replaceAll(/\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[\d.,]*Z?\s*/g, '')
    .replaceAll(/(localhost|127\.0\.0\.1):\d+/g, '$1:…')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…')
    .replaceAll(/key \d{6,}/g, 'key …')
    .replace(/(?:\\n|\s)+at \S+ \(.*$/, '') // a stack, with the paths of this machine
    .replaceAll(/\\u(?:00[01]\w|fffd)|\\n|[^\x20-\x7e\u2026]+/g, ' ');
}
