import type { Dashboard } from './grafana.ts';
import { KEYS_ROW, REVOCATION_ROW, STORE_ROW } from './key-rows.ts';
import { COLLECTOR_ROW, PROCESS_ROW, SENDERS_ROW } from './machine-rows.ts';
import { of } from './panels.ts';
import { LOSS, REQUEST_ROW } from './request-rows.ts';

/** For whoever was just woken up: the first row says whether telemetry is being lost, and whose; the others say why. */
export const DASHBOARD: Dashboard = {
  uid: 'keygate',
  title: 'Keygate',
  description:
    'An auth gateway in front of an OpenTelemetry collector. Hover over the i of a panel: it says what to do. The runbooks are in docs/operations.md.',
  rows: [LOSS, REQUEST_ROW, STORE_ROW, REVOCATION_ROW, COLLECTOR_ROW, SENDERS_ROW, KEYS_ROW, PROCESS_ROW],
  marks: [
    {
      name: 'Alerts',
      query: {
        // One for each alert: those of twenty gateways would paint everything red.
        expr: 'count by (alertname) (ALERTS{alertname=~"Keygate.*", alertstate="firing", job=~"$job"})',
        legend: '{{alertname}}',
      },
      colour: 'red',
    },
    {
      name: 'Started',
      query: { expr: `time() - ${of('process_start_time_seconds')} < 60`, legend: '{{instance}}' },
      colour: 'blue',
    },
  ],
};
