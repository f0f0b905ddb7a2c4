import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  FieldConfigOptionsRegistry,
  FieldType,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

/** What Grafana's data source for Prometheus and its dashboard do with the answers, before a panel draws them. */

const STEP_SECONDS = 1;

async function get(path, parameters) {
  const answer = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${parameters.query}: ${error}`);
  return data.result;
}

const range = (expr, { from, to }) =>
  get('query_range', { query: expr, start: from.valueOf() / 1_000, end: to.valueOf() / 1_000, step: STEP_SECONDS });

export const ask = {
  /** From when to when something was so. */
  async marks({ name, expr, iconColor }, timeRange) {
    const found = await range(expr, timeRange);
    return found.flatMap(({ values }) => {
      const spans = [];
      for (const [seconds] of values) {
        const last = spans.at(-1);
        if (last !== undefined && seconds - last.to <= STEP_SECONDS) last.to = seconds;
        else spans.push({ from: seconds, to: seconds });
      }
      return spans.map(({ from, to }) => ({ name, color: iconColor, fromMs: from * 1_000, toMs: to * 1_000 }));
    });
  },
};

/** `{{label}}` in the name of a line. */
const named = (template, labels) => template.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_all, label) => labels[label] ?? '');

function toLine({ refId, legendFormat }, { metric, values }) {
  const { __name__, ...labels } = metric;
  const name = legendFormat === '' ? 'Value' : named(legendFormat, labels);
  return {
    refId,
    length: values.length,
    fields: [
      {
        name: 'Time',
        type: FieldType.time,
        config: { interval: STEP_SECONDS * 1_000 },
        values: values.map(([seconds]) => seconds * 1_000),
      },
      {
        name: 'Value',
        type: FieldType.number,
        labels,
        config: { displayNameFromDS: name },
        values: values.map(([, value]) => Number(value)),
      },
    ],
  };
}

function toTable({ refId }, found) {
  const labels = [...new Set(found.flatMap(({ metric }) => Object.keys(metric)))].toSorted((a, b) =>
    a.localeCompare(b),
  );
  const column = (name, type, values) => ({ name, type, config: {}, values });
  return {
    refId,
    length: found.length,
    fields: [
      column(
        'Time',
        FieldType.time,
        found.map(({ value: [seconds] }) => seconds * 1_000),
      ),
      ...labels.map((label) =>
        column(
          label,
          FieldType.string,
          found.map(({ metric }) => metric[label] ?? ''),
        ),
      ),
      column(
        'Value',
        FieldType.number,
        found.map(({ value: [, value] }) => Number(value)),
      ),
    ],
  };
}

/** What the editor of Grafana knows of its options; all of them are taken as they are. */
const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'noValue'];

/** What the panels of Grafana have for their own where the dashboard says nothing. */
const CUSTOM = {
  timeseries: {
    axisPlacement: 'auto',
    axisColorMode: 'text',
    axisLabel: '',
    scaleDistribution: { type: 'linear' },
    lineStyle: { fill: 'solid' },
    gradientMode: 'none',
    barAlignment: 0,
    pointSize: 5,
    hideFrom: { tooltip: false, viz: false, legend: false },
    thresholdsStyle: { mode: 'off' },
  },
};

function registryOf(custom) {
  const option = (id, path, isCustom) => ({
    id,
    path,
    name: id,
    isCustom,
    process: identityOverrideProcessor,
    shouldApply: () => true,
    settings: {},
  });
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((id) => option(id, id, false)),
    ...custom.map((id) => option(`custom.${id}`, id, true)),
  ]);
}

/** JSON has no word for it. */
function withBase(thresholds) {
  return (
    thresholds && {
      ...thresholds,
      steps: thresholds.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })),
    }
  );
}

export function openDataSource({ theme, timeRange }) {
  standardTransformersRegistry.setInit(() => [
    {
      id: 'organize',
      name: 'Organize',
      editor: null,
      transformation: async () => standardTransformers.organizeFieldsTransformer,
    },
  ]);

  async function framesOf({ targets, transformations = [] }) {
    const answers = await Promise.all(
      targets.map(async (target) =>
        target.instant
          ? [toTable(target, await get('query', { query: target.expr, time: timeRange.to.valueOf() / 1_000 }))]
          : (await range(target.expr, timeRange)).map((found) => toLine(target, found)),
      ),
    );
    return lastValueFrom(transformDataFrame(transformations, answers.flat()));
  }

  return {
    /** The panel with its frames, as its visualization gets them. */
    async dataOf(panel) {
      const { defaults, overrides } = panel.fieldConfig;
      const custom = { ...CUSTOM[panel.type], ...defaults.custom };
      const fieldConfig = {
        defaults: { ...defaults, thresholds: withBase(defaults.thresholds), custom },
        overrides,
      };
      const customIds = overrides.flatMap(({ properties }) =>
        properties.filter(({ id }) => id.startsWith('custom.')).map(({ id }) => id.slice('custom.'.length)),
      );
      const frames = applyFieldOverrides({
        data: await framesOf(panel),
        fieldConfig,
        fieldConfigRegistry: registryOf([...new Set([...Object.keys(custom), ...customIds])]),
        replaceVariables: (text) => text,
        theme,
        timeZone: 'utc',
      });
      cacheFieldDisplayNames(frames);
      return { panel, fieldConfig, frames: frames.filter(({ length }) => length > 0) };
    },
  };
}
