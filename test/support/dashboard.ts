import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What our tests look at in Grafana's JSON of a dashboard. */
export interface GrafanaPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly color?: { readonly mode: string };
      readonly mappings?: readonly unknown[];
      readonly thresholds?: unknown;
    };
  };
  /** Of a row that is closed. */
  readonly panels?: readonly GrafanaPanel[];
}

export interface GrafanaDashboard {
  readonly panels: readonly GrafanaPanel[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

export const DASHBOARD_TEXT = readFileSync(join(import.meta.dirname, '../../config/grafana/keygate.json'), 'utf8');
export const GRAFANA_DASHBOARD = JSON.parse(DASHBOARD_TEXT) as GrafanaDashboard;

/** All panels, those in closed rows too, without the rows themselves. */
export function panelsOf({ panels }: GrafanaDashboard): readonly GrafanaPanel[] {
  return panels.flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel]));
}
