/** A dashboard in our words; grafana.ts writes it as Grafana's JSON. */

/** Grafana's names for units. */
export type Unit = 'reqps' | 'Bps' | 'bytes' | 's' | 'dtdurations' | 'percentunit' | 'cps' | 'short';

export interface Query {
  readonly expr: string;
  /** What its lines are called, with labels in double braces. */
  readonly legend: string;
}

interface Described {
  readonly title: string;
  /** What it shows, and what to do when it looks wrong: whoever reads it has just been woken up. */
  readonly about: string;
  /** Of 24 columns. */
  readonly width: number;
}

/** One number, green until it is not. */
export interface NumberPanel extends Described {
  readonly show: 'number';
  readonly unit: Unit;
  readonly query: string;
  /** Orange from here on. */
  readonly odd?: number;
  /** Red from here on. */
  readonly bad?: number;
}

export interface LinesPanel extends Described {
  readonly show: 'lines';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  /** Colours of lines by their name. */
  readonly colours?: Readonly<Record<string, string>>;
  /** Lines whose name ends like this are for comparison. */
  readonly dashed?: string;
}

/** Bands over time: what was so, and when. */
export interface StatesPanel extends Described {
  readonly show: 'states';
  readonly queries: readonly Query[];
  /** The words for 0 and 1; the good one is green. */
  readonly words: readonly [zero: string, one: string];
  readonly good: 0 | 1;
}

export interface TablePanel extends Described {
  readonly show: 'table';
  readonly query: string;
  /** Labels and their columns, in order. */
  readonly columns: Readonly<Record<string, string | Column>>;
  /** The number, which comes first. */
  readonly value: string;
  readonly valueWidth?: number;
  readonly unit: Unit;
  readonly order: 'most first' | 'least first';
}

/** One that is more than its title. */
export interface Column {
  readonly title: string;
  /** In pixels; the others share what is left. Grafana gives each the same otherwise, and a few of 150 pixels fill a panel. */
  readonly width?: number;
  /** What stands there for what, and in which colour. */
  readonly words?: Readonly<Record<string, { readonly text: string; readonly colour: string }>>;
  /** Rows are in the order of this column, the last of the alphabet first, before that of the number. */
  readonly isFirst?: true;
}

export type Panel = NumberPanel | LinesPanel | StatesPanel | TablePanel;

export interface Row {
  readonly title: string;
  /** Closed rows ask nothing of Prometheus until they are opened. */
  readonly open: boolean;
  readonly panels: readonly Panel[];
}

const CHOSEN = 'job=~"$job", instance=~"$instance"';

/** The series of a metric at the gateways that were chosen above the dashboard. */
export function of(metric: string, matchers = ''): string {
  return `${metric}{${CHOSEN}${matchers === '' ? '' : `, ${matchers}`}}`;
}

export function perSecond(metric: string, matchers = '', range = '$__rate_interval'): string {
  return `rate(${of(metric, matchers)}[${range}])`;
}

/** The average of the hour that ended ten minutes ago: what is going on now is not in it yet. */
export function inTheHourBefore(metric: string, matchers = ''): string {
  return `rate(${of(metric, matchers)}[1h] offset 10m)`;
}

export function sumBy(labels: string, expr: string): string {
  return `sum by (${labels}) (${expr})`;
}

/** The median and the 99th percentile of a histogram. */
export function quantiles(histogram: string, by: string, legend: string): Query[] {
  const buckets = sumBy(`${by}, le`, perSecond(`${histogram}_bucket`));
  return (['0.5', '0.99'] as const).map((quantile) => ({
    expr: `histogram_quantile(${quantile}, ${buckets})`,
    legend: `${legend} ${quantile === '0.5' ? 'p50' : 'p99'}`,
  }));
}

/** A number where there would be no data: nobody should have to guess whether a blank is good. */
export function orZero(expr: string): string {
  return `(${expr}) or vector(0)`;
}
