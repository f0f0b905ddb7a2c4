import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DASHBOARD } from './dashboard.ts';
import { toGrafana } from './grafana.ts';

/**
 * Writes the Grafana dashboard: `node src/telemetry/dashboard/generate.ts`. With --check it only says whether the file is out of
 * date, and fails if it is.
 */

export const DASHBOARD_FILE = join(import.meta.dirname, '../../../config/grafana/keygate.json');

export function renderDashboard(): string {
  return `${JSON.stringify(toGrafana(DASHBOARD), null, 2)}\n`;
}

function main(check: boolean): void {
  const text = renderDashboard();
  if (!check) {
    mkdirSync(dirname(DASHBOARD_FILE), { recursive: true });
    return writeFileSync(DASHBOARD_FILE, text);
  }
  if (readFileSync(DASHBOARD_FILE, 'utf8') === text) return;
  process.stderr.write('config/grafana/keygate.json is out of date: run node src/telemetry/dashboard/generate.ts\n');
  process.exitCode = 1;
}

if (import.meta.main) main(process.argv.includes('--check'));
