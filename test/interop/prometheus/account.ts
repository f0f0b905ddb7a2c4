import type { TestPrometheus } from '../../prometheus/prometheus.ts';
import type { Collector } from '../../support/collector.ts';
import type { Writer } from './senders.ts';
import { writtenSamples } from './written.ts';

/** How often each sample has arrived so far. */
export type Ledger = () => ReadonlyMap<string, number>;

export function createLedger({ arrivals }: Collector): Ledger {
  const times = new Map<string, number>();
  let read = 0;
  return () => {
    for (const arrival of arrivals.slice(read)) {
      for (const sample of writtenSamples(arrival)) times.set(sample, (times.get(sample) ?? 0) + 1);
    }
    read = arrivals.length;
    return times;
  };
}

/** What became of the samples that a Prometheus has scraped up to some moment. */
export interface Account {
  readonly scraped: number;
  readonly lost: number;
  /** They arrived more than once. */
  readonly doubled: number;
  /** In its own numbers. */
  readonly failed: number;
  readonly retried: number;
}

/** All that it has scraped is in its own database, whatever became of it elsewhere. */
export async function accountOf({ prometheus, job }: Writer, ledger: Ledger, untilMs: number): Promise<Account> {
  const samples = await prometheus.samples(`{job="${job}"}[10m]`);
  const wanted = samples.filter((sample) => Number(sample.slice(sample.lastIndexOf('@') + 1)) <= untilMs);
  const counts = await countsOf(prometheus);
  const times = ledger();
  const arrivals = wanted.map((sample) => times.get(sample) ?? 0);
  return {
    scraped: wanted.length,
    lost: arrivals.filter((n) => n === 0).length,
    doubled: arrivals.filter((n) => n > 1).length,
    ...counts,
  };
}

export async function countsOf(prometheus: TestPrometheus): Promise<{ failed: number; retried: number }> {
  const failed = await prometheus.metric('prometheus_remote_storage_samples_failed_total');
  return { failed, retried: await prometheus.metric('prometheus_remote_storage_samples_retried_total') };
}

export function tell({ scraped, lost, doubled, failed, retried }: Account): string {
  const arrived = lost === 0 ? `all ${scraped} samples` : `${scraped - lost} of ${scraped} samples`;
  const twice = doubled === 0 ? 'once' : `${doubled} of them more than once`;
  const again = retried === 0 ? '' : `; it sent ${retried} again`;
  return `${arrived} arrived, ${twice}${again}; it counts ${failed} as failed`;
}
