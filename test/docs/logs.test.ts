import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LOG_WINDOW_MS } from '../../src/telemetry/bounded-log.ts';
import type { LineBound } from '../../src/telemetry/bounded-log.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { LINES_OF_MESSAGE } from '../../src/telemetry/observing.ts';
import { createRequestLog, MAX_REQUEST_LINES } from '../../src/telemetry/request-log.ts';
import { LINES_OF_ALL, LINES_OF_SOURCE, MAX_REFUSAL_LINES } from '../../src/telemetry/source-lines.ts';
import { createRefusedSources } from '../../src/traffic/refused-sources.ts';
import { newReport } from '../support/reports.ts';
import { newRecord } from '../support/stores.ts';

const page = readFileSync(new URL('../../docs/logs.md', import.meta.url), 'utf8');

test('the page has the bounds of the code', () => {
  const bounds: Record<LineBound, number> = {
    source: LINES_OF_SOURCE,
    refusals: LINES_OF_ALL,
    requests: MAX_REQUEST_LINES,
    repeated: LINES_OF_MESSAGE,
  };
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) /gm)].map(([, name, lines]) => [name, Number(lines)]);
  assert.deepEqual(Object.fromEntries(rows), bounds);
  assert.ok(page.includes(`every ${LOG_WINDOW_MS / 1_000} seconds`));
  assert.ok(page.includes(`${MAX_REFUSAL_LINES} lines in ${LOG_WINDOW_MS / 1_000} seconds`));
});

test('the page explains each field of a refusal, and no other', () => {
  const lines: Record<string, unknown>[] = [];
  const output = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  const log = createLog({ level: 'info', format: 'json', output });
  const requests = createRequestLog({ log, acceptedEvery: 0, processes: 1, dropped: () => {} });
  const sources = createRefusedSources(() => 1);
  const key = newRecord();
  sources.note(newReport({ key }));
  const report = newReport({
    outcome: 'upstream_timeout',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    key,
    fingerprint: 'c0ffee',
    userAgent: 'otel',
  });
  requests.note(report, sources.note(report));
  const common = ['level', 'time', 'pid', 'message'];
  const written = Object.keys(lines[0] ?? {}).filter((name) => !common.includes(name));
  const [, section = ''] = /## A refusal\n([^]*?)\n## /.exec(page) ?? [];
  const explained = [...section.matchAll(/^\| (`.*?) \| /gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  assert.deepEqual(explained.toSorted(), written.toSorted());

  const [, shown = ''] = /```json\n(.*)\n```/.exec(page) ?? [];
  const named = [...written, ...common];
  assert.deepEqual(
    Object.keys(JSON.parse(shown) as object).filter((name) => !named.includes(name)),
    [],
  );
});
