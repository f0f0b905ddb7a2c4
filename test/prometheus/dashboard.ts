import { setTimeout as delay } from 'node:timers/promises';
import { GRAFANA_DASHBOARD, panelsOf } from '../support/dashboard.ts';
import { inSeconds } from './prometheus.ts';
import type { TestPrometheus } from './prometheus.ts';

/** One expression of the dashboard, as Grafana would ask it with everything chosen, and what came of it so far. */
interface Asked {
  readonly panel: string;
  readonly expr: string;
  hadData: boolean;
}

export interface DashboardWatch {
  /** Looks now as well, for what does not last. */
  look(): Promise<void>;
  /** Looks a last time; resolves with the panels and expressions that have shown nothing. */
  stop(): Promise<{ readonly asked: number; readonly faults: readonly string[] }>;
}

const EVERY_MS = 1_000;

/**
 * Asks for all that the dashboard shows while the situations come and go. In the end each expression must have had data, and each panel
 * something else than 0: what is only ever empty or 0 may as well be mistyped.
 */
export function watchDashboard(prometheus: TestPrometheus, jobs: readonly string[]): DashboardWatch {
  const all: Asked[] = [
    ...panelsOf(GRAFANA_DASHBOARD).flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ panel: title, expr: fillIn(expr, jobs), hadData: false })),
    ),
    ...GRAFANA_DASHBOARD.annotations.list.map(({ name, expr }) => ({
      panel: `the mark ${name}`,
      expr: fillIn(expr, jobs),
      hadData: false,
    })),
  ];
  const moved = new Set<string>();

  async function look(): Promise<void> {
    for (const asked of all) {
      if (asked.hadData && moved.has(asked.panel)) continue;
      const values = (await prometheus.query(asked.expr)).filter((value) => Number.isFinite(value));
      if (values.length > 0) asked.hadData = true;
      if (values.some((value) => value !== 0)) moved.add(asked.panel);
    }
  }

  const end = new AbortController();
  const looking = (async () => {
    while (!end.signal.aborted) {
      await look();
      await delay(EVERY_MS);
    }
  })();
  looking.catch(() => {}); // stop() says it
  return {
    look,
    async stop() {
      end.abort();
      await looking;
      await look();
      const still = new Set(all.filter(({ panel }) => !moved.has(panel)).map(({ panel }) => panel));
      return {
        asked: all.length,
        faults: [
          ...all.filter(({ hadData }) => !hadData).map(({ panel, expr }) => `${panel} had no data: ${expr}`),
          ...[...still].map((panel) => `${panel} was never anything else than 0`),
        ],
      };
    },
  };
}

/** What Grafana puts in for its variables; ranges of minutes are seconds, as in the rules. */
export function fillIn(expr: string, jobs: readonly string[]): string {
  return inSeconds(expr)
    .replaceAll('$__rate_interval', '15s')
    .replaceAll('$job', jobs.join('|'))
    .replaceAll('$instance', '.+');
}
