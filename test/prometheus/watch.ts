import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/wait.ts';
import type { Alert, TestPrometheus } from './prometheus.ts';

type Labels = Readonly<Record<string, string>>;

/** What Prometheus says of a situation while it is there, and afterwards. */
export interface Watch {
  quietFor(ms: number): Promise<void>;
  fires(name: string, labels?: Labels): Promise<void>;
  clears(name: string, labels?: Labels, withinMs?: number): Promise<void>;
  /** Those that have fired, and cleared again. */
  seen(): readonly string[];
}

const WITHIN_MS = 60_000;

export function createWatch(prometheus: TestPrometheus): Watch {
  const fired = new Set<string>();
  const seen = new Set<string>();
  const startedAt = performance.now();

  async function find(name: string, labels: Labels): Promise<Alert | undefined> {
    const all = await prometheus.firing();
    return all.find(
      (alert) =>
        alert.labels['alertname'] === name &&
        Object.entries(labels).every(([key, value]) => alert.labels[key] === value),
    );
  }

  function tell(name: string, what: string): void {
    console.log(`${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s  ${name} ${what}`);
  }

  return {
    async quietFor(ms) {
      await until(
        'Prometheus has rates',
        async () => (await prometheus.query('keygate:requests:rate5m > 0')).length > 0,
        WITHIN_MS,
      );
      const endsAt = performance.now() + ms;
      while (performance.now() < endsAt) {
        const names = (await prometheus.firing()).map(({ labels }) => labels['alertname']);
        assert.deepEqual(names, [], 'an alert fires although nothing is wrong');
        await delay(500);
      }
      tell('nothing', 'fires while nothing is wrong');
    },
    async fires(name, labels = {}) {
      await until(`${name} fires`, async () => (await find(name, labels)) !== undefined, WITHIN_MS);
      fired.add(name);
      tell(name, `fires: ${(await find(name, labels))?.annotations['summary'] ?? ''}`);
    },
    async clears(name, labels = {}, withinMs = WITHIN_MS) {
      assert.ok(fired.has(name), `${name} was not seen to fire`);
      await until(`${name} clears`, async () => (await find(name, labels)) === undefined, withinMs);
      tell(name, 'clears');
      seen.add(name);
    },
    seen: () => [...seen],
  };
}
