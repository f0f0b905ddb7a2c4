import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createReloadMetrics, reloadObserver } from '../../../src/telemetry/reload-metrics.ts';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: unknown;
}

function observe() {
  const registry = new Registry();
  const lines: Line[] = [];
  const observer = reloadObserver(createReloadMetrics([registry]), (level, message, fields) =>
    lines.push({ level, message, fields }),
  );
  const value = async (name: string, result?: string): Promise<number | undefined> => {
    const metric = await registry.getSingleMetric(name)?.get();
    return metric?.values.find(({ labels }) => result === undefined || labels['result'] === result)?.value;
  };
  return { observer, lines, value };
}

test('a configuration with hundreds of faults is told with the first fifty, and how many there are', () => {
  const { observer, lines } = observe();
  observer.refused(Array.from({ length: 300 }, (_, index) => ({ path: `a.b${index}`, message: 'must be something' })));
  assert.equal(lines.length, 51);
  assert.deepEqual(lines[0], {
    level: 'error',
    message: 'the new configuration is refused; the old one stays',
    fields: { count: 300 },
  });
});

test('one that fails when it is put to use counts as refused too, with its cause', async () => {
  const { observer, lines, value } = observe();
  observer.reloaded({ result: 'refused', cause: 'key values mismatch' });
  assert.deepEqual(
    lines.map(({ fields }) => fields),
    [{ cause: 'key values mismatch' }],
  );
  assert.deepEqual(
    [await value('keygate_config_reloads_total', 'refused'), await value('keygate_config_last_reload_successful')],
    [1, 0],
  );
  observer.reloaded({ result: 'partial', applied: ['log.level'], needRestart: ['plane', 'store.redis'] });
  assert.deepEqual(
    [
      await value('keygate_config_reloads_total', 'partial'),
      await value('keygate_config_last_reload_successful'),
      await value('keygate_config_options_awaiting_restart'),
    ],
    [1, 1, 2],
  );
});
