import type { Arrival, Collector } from '../../support/collector.ts';

/** What became of what a shipper was given up to some moment. */
export interface Account {
  readonly given: number;
  readonly lost: number;
  /** They arrived more than once. */
  readonly doubled: number;
  /** In its own numbers, of all that it was ever given. */
  readonly dropped: number;
  /** The same of what it has sent more than once, if it counts that. */
  readonly retried?: number;
}

/** By how often each has arrived. */
export function tally(wanted: readonly string[], times: ReadonlyMap<string, number>): Omit<Account, 'dropped'> {
  const arrivals = wanted.map((item) => times.get(item) ?? 0);
  return {
    given: wanted.length,
    lost: arrivals.filter((n) => n === 0).length,
    doubled: arrivals.filter((n) => n > 1).length,
  };
}

/** How often each of them has arrived so far. */
export function createLedger(
  { arrivals }: Collector,
  itemsOf: (arrival: Arrival) => readonly string[],
): () => ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  let read = 0;
  return () => {
    for (const item of arrivals.slice(read).flatMap(itemsOf)) times.set(item, (times.get(item) ?? 0) + 1);
    read = arrivals.length;
    return times;
  };
}

export function tellArrived({ given, lost, doubled, dropped, retried = 0 }: Account, items: string): string {
  const arrived = lost === 0 ? `all ${given} ${items}` : `${given - lost} of ${given} ${items}`;
  const twice = doubled === 0 ? 'once' : `${doubled} of them more than once`;
  const again = retried === 0 ? '' : `; it sent ${retried} again`;
  return `${arrived} arrived, ${twice}${again}; it counts ${dropped} as lost`;
}
