import { Counter, Histogram } from 'prom-client';
import type { CounterConfiguration, HistogramConfiguration } from 'prom-client';

/**
 * Counters and histograms for the way of every request. To find a series by its labels costs prom-client half a microsecond
 * and more; here it is found once, and then a number is added to a number. prom-client gets to see them when it is asked.
 */

type Labels<L extends string> = Readonly<Record<L, string>>;

/** What one series has counted and not yet handed on. */
export interface Tally {
  count: number;
}

/** Declares a counter; gives a way to add series to it, each of them once. */
export function talliedCounter<L extends string>(config: CounterConfiguration<L>): (labels: Labels<L>) => Tally {
  const series: { readonly labels: Labels<L>; readonly tally: Tally }[] = [];
  new Counter<L>({
    ...config,
    collect() {
      for (const { labels, tally } of series) {
        this.inc(labels, tally.count);
        tally.count = 0;
      }
    },
  });
  return (labels) => {
    const tally = { count: 0 };
    series.push({ labels, tally });
    return tally;
  };
}

/** What one series of a histogram has seen. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** How many values were in each bucket but in none of those before it. The last one has no bound. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    (this.counts[bucket] as number)++;
    this.sum += value;
  }
}

/** Declares a histogram; gives a way to add series to it, each of them once. One that has seen nothing is not shown. */
export function talliedHistogram<L extends string>(
  config: HistogramConfiguration<L> & { readonly buckets: number[] },
): (labels: Labels<L>) => Distribution {
  const series: { readonly labels: Labels<L>; readonly distribution: Distribution }[] = [];
  new Histogram<L>({
    ...config,
    collect() {
      for (const { labels, distribution } of series) {
        const count = distribution.counts.reduce((sum, inBucket) => sum + inBucket, 0);
        if (count === 0) continue;
        this.zero(labels);
        Object.assign(storedIn(this, labels), {
          bucketValues: Object.fromEntries(config.buckets.map((bound, i) => [bound, distribution.counts[i]])),
          sum: distribution.sum,
          count,
        });
      }
    },
  });
  return (labels) => {
    const distribution = new Distribution(config.buckets);
    series.push({ labels, distribution });
    return distribution;
  };
}

/** Where prom-client keeps a series. That is its own affair, but it takes values one at a time only, and has no other door. */
function storedIn<L extends string>(histogram: Histogram<L>, labels: Labels<L>): object {
  const { hashMap } = histogram as unknown as { readonly hashMap: Readonly<Record<string, { labels: unknown }>> };
  const stored = Object.values(hashMap).find((one) => one.labels === labels);
  if (stored === undefined) throw new Error('this version of prom-client keeps histograms in another way');
  return stored;
}

/** One for each key out of a closed set, made when it is first asked for. */
export function perKey<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) made.set(key, (value = make(key)));
    return value;
  };
}
