import type { Column, LinesPanel, NumberPanel, Panel, Query, Row, StatesPanel, TablePanel } from './panels.ts';

/** The version of Grafana's JSON model, as Grafana 13 writes it; older ones read it too. */
const SCHEMA_VERSION = 42;

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const HEIGHTS = { number: 4, lines: 8, states: 8, table: 9 } as const;

type Json = Readonly<Record<string, unknown>>;

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
  /** Marks in all panels, and what is to be seen there. */
  readonly marks: readonly { readonly name: string; readonly query: Query; readonly colour: string }[];
}

export function toGrafana({ uid, title, description, rows, marks }: Dashboard): Json {
  return {
    annotations: { list: marks.map(toAnnotation) },
    description,
    editable: true,
    fiscalYearStartMonth: 0,
    graphTooltip: 1, // one crosshair for all panels
    id: null,
    links: [],
    panels: layOut(rows),
    preload: false,
    refresh: '30s',
    schemaVersion: SCHEMA_VERSION,
    tags: ['keygate', 'opentelemetry'],
    templating: { list: VARIABLES },
    time: { from: 'now-3h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    title,
    uid,
    version: 1,
  };
}

/** The one that Grafana has for its default. */
const DEFAULT = { text: 'default', value: 'default' };

/** Which Prometheus, which key store (a job is one), which gateways. */
const VARIABLES: readonly Json[] = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', refresh: 1, current: DEFAULT },
  chooser('job', 'Job', 'label_values(keygate_build_info, job)'),
  chooser('instance', 'Gateway', 'label_values(keygate_build_info{job=~"$job"}, instance)'),
];

function chooser(name: string, label: string, query: string): Json {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    refresh: 2, // as the time range changes: gateways that are gone are chosen where they were there
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { text: ['All'], value: ['$__all'] },
    options: [],
  };
}

function toAnnotation({ name, query, colour }: Dashboard['marks'][number]): Json {
  return {
    name,
    datasource: DATASOURCE,
    enable: true,
    expr: query.expr,
    titleFormat: name,
    textFormat: query.legend,
    iconColor: colour,
    step: '30s',
  };
}

/** From left to right, and on the next line where it is full. */
function layOut(rows: readonly Row[]): Json[] {
  const all: Json[] = [];
  let id = 0;
  let y = 0;
  for (const { title, open, panels } of rows) {
    const row = { id: ++id, type: 'row', title, collapsed: !open, gridPos: { h: 1, w: COLUMNS, x: 0, y } };
    y += 1;
    const placed: Json[] = [];
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
      const h = HEIGHTS[panel.show];
      placed.push({ id: ++id, ...toPanel(panel), gridPos: { h, w: panel.width, x, y } });
      x += panel.width;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
    all.push({ ...row, panels: open ? [] : placed }, ...(open ? placed : []));
  }
  return all;
}

function toPanel(panel: Panel): Json {
  const common = { title: panel.title, description: panel.about, datasource: DATASOURCE };
  switch (panel.show) {
    case 'number':
      return { type: 'stat', ...common, ...toNumber(panel) };
    case 'lines':
      return { type: 'timeseries', ...common, ...toLines(panel) };
    case 'states':
      return { type: 'state-timeline', ...common, ...toStates(panel) };
    case 'table':
      return { type: 'table', ...common, ...toTable(panel) };
  }
}

const REF_IDS = 'ABCDEFGH';

function toTargets(queries: readonly Query[], how: Json = { range: true }): Json[] {
  return queries.map(({ expr, legend }, index) => ({
    refId: REF_IDS[index],
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    ...how,
  }));
}

const GREEN = { color: 'green', value: null };

function toNumber({ unit, query, odd, bad }: NumberPanel): Json {
  const steps = [
    odd === undefined && bad === undefined ? { color: 'blue', value: null } : GREEN,
    ...(odd === undefined ? [] : [{ color: 'orange', value: odd }]),
    ...(bad === undefined ? [] : [{ color: 'red', value: bad }]),
  ];
  return {
    targets: toTargets([{ expr: query, legend: '' }]),
    fieldConfig: {
      defaults: { unit, color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps } },
      overrides: [],
    },
    options: {
      colorMode: 'background',
      graphMode: 'area',
      justifyMode: 'auto',
      orientation: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      textMode: 'value',
    },
  };
}

function toLines({ unit, queries, stacked = false, colours = {}, dashed }: LinesPanel): Json {
  const overrides = [
    ...Object.entries(colours).map(([name, fixedColor]) => ({
      matcher: { id: 'byName', options: name },
      properties: [{ id: 'color', value: { mode: 'fixed', fixedColor } }],
    })),
    ...(dashed === undefined
      ? []
      : [
          {
            matcher: { id: 'byRegexp', options: `/${dashed}$/` },
            properties: [{ id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 8] } }],
          },
        ]),
  ];
  return {
    targets: toTargets(queries),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        color: { mode: 'palette-classic' },
        custom: {
          drawStyle: 'line',
          lineInterpolation: 'linear',
          lineWidth: 1,
          fillOpacity: stacked ? 40 : 8,
          showPoints: 'never',
          spanNulls: false,
          stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
        },
      },
      overrides,
    },
    options: {
      legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['lastNotNull', 'max'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

function toStates({ queries, words, good }: StatesPanel): Json {
  const options = Object.fromEntries(
    words.map((text, index) => [String(index), { text, index, color: index === good ? 'green' : 'red' }]),
  );
  return {
    targets: toTargets(queries),
    fieldConfig: {
      defaults: {
        // Not by thresholds: where bands are merged, Grafana (8.2 to 13, grafana/grafana#41075) takes those for the states, and not the words.
        color: { mode: 'fixed' },
        mappings: [{ type: 'value', options }],
        custom: { fillOpacity: 70, lineWidth: 0 },
      },
      overrides: [],
    },
    options: {
      alignValue: 'left',
      mergeValues: true,
      rowHeight: 0.85,
      showValue: 'auto',
      legend: { displayMode: 'list', placement: 'bottom', showLegend: false },
      tooltip: { mode: 'single', sort: 'none' },
    },
  };
}

function toTable({ query, columns, value, valueWidth = 140, unit, order }: TablePanel): Json {
  const all = Object.entries(columns).map(([label, column]) => ({
    label,
    ...(typeof column === 'string' ? { title: column } : column),
  }));
  const number = [
    { id: 'unit', value: unit },
    { id: 'custom.width', value: valueWidth },
  ];
  return {
    targets: toTargets([{ expr: query, legend: '' }], { format: 'table', instant: true, range: false }),
    fieldConfig: {
      defaults: { custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: true, minWidth: 60 } },
      overrides: [
        { matcher: { id: 'byName', options: value }, properties: number },
        ...all
          .map((column) => ({
            matcher: { id: 'byName', options: column.title },
            properties: toProperties(column),
          }))
          .filter(({ properties }) => properties.length > 0),
      ],
    },
    options: {
      cellHeight: 'sm',
      showHeader: true,
      sortBy: [
        ...all.filter(({ isFirst }) => isFirst).map(({ title }) => ({ displayName: title, desc: true })),
        { displayName: value, desc: order === 'most first' },
      ],
    },
    transformations: [
      {
        id: 'organize',
        options: {
          excludeByName: { Time: true },
          indexByName: Object.fromEntries([['Value', 0], ...all.map(({ label }, index) => [label, index + 1])]),
          renameByName: { ...Object.fromEntries(all.map(({ label, title }) => [label, title])), Value: value },
        },
      },
    ],
  };
}

function toProperties({ width, words }: Column): Json[] {
  const options = Object.entries(words ?? {}).map(([value, { text, colour }], index) => [
    value,
    { text, index, color: colour },
  ]);
  return [
    ...(width === undefined ? [] : [{ id: 'custom.width', value: width }]),
    ...(words === undefined
      ? []
      : [
          { id: 'mappings', value: [{ type: 'value', options: Object.fromEntries(options) }] },
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ]),
  ];
}
