import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogLevel } from '../../../src/log-levels.ts';
import type { RequestReport } from '../../../src/plane/plane.ts';
import { LOG_WINDOW_MS } from '../../../src/telemetry/bounded-log.ts';
import { createRequestLog, MAX_REQUEST_LINES } from '../../../src/telemetry/request-log.ts';
import { LINES_OF_ALL, MAX_REFUSAL_LINES } from '../../../src/telemetry/source-lines.ts';
import { createRefusedSources } from '../../../src/traffic/refused-sources.ts';
import { newReport } from '../../support/reports.ts';
import { newRecord } from '../../support/stores.ts';

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A log of requests whose lines are kept, and who was refused by. */
function createLogOnPaper({
  acceptedEvery = 0,
  from = 'debug',
  processes = 1,
}: Partial<{ acceptedEvery: number; from: LogLevel; processes: number }> = {}) {
  const lines: Line[] = [];
  const dropped = new Map<string, number>();
  const sources = createRefusedSources(() => 1_700_000_000_000);
  const isEnabled = (level: LogLevel): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(from);
  const log = Object.assign(
    (level: LogLevel, message: string, fields = {}) => {
      if (isEnabled(level)) lines.push({ level, message, fields });
    },
    { isEnabled },
  );
  const requests = createRequestLog({
    log,
    acceptedEvery,
    processes,
    dropped: (bound, count) => void dropped.set(bound, (dropped.get(bound) ?? 0) + count),
  });
  return {
    lines,
    dropped,
    report: (report: RequestReport) => requests.note(report, sources.note(report)),
    turn: () => requests.turn(),
    said: () => lines.splice(0).map(({ level, message, fields }) => ({ level, message, dropped: fields['dropped'] })),
  };
}

const refused = (fields: Partial<RequestReport> = {}): RequestReport =>
  newReport({ outcome: 'unknown_key', upstreamStatus: undefined, upstreamSeconds: undefined, ...fields });

const times = (count: number, act: (i: number) => void): void => {
  for (let i = 0; i < count; i++) act(i);
};

describe('the log of requests', () => {
  it('says of a refusal why, whose it was, which key it was about, and which trace it belongs to', () => {
    const { report, lines } = createLogOnPaper();
    const key = newRecord({ id: '42', name: 'checkout' });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    report(refused({ outcome: 'expired_key', key, traceId, fingerprint: 'c0ffee', userAgent: 'otel' }));
    assert.deepEqual(lines, [
      {
        level: 'info',
        message: 'request refused',
        fields: {
          request_id: 'r-1',
          trace_id: traceId,
          reason: 'expired_key',
          worked: undefined,
          protocol: 'grpc',
          route: 'otlp-grpc',
          signal: 'traces',
          peer: '10.0.0.1',
          user_agent: 'otel',
          key_id: '42',
          key_name: 'checkout',
          fingerprint: 'c0ffee',
          upstream_status: undefined,
          upstream_ms: undefined,
          bytes: 100,
        },
      },
    ]);
  });

  it('warns of what is ours or the collector’s fault, and not of what is the sender’s', () => {
    const { report, lines } = createLogOnPaper();
    const ours = ['store_unavailable', 'upstream_timeout', 'draining'] as const;
    for (const outcome of [...ours, 'missing_credential', 'body_too_large'] as const) report(refused({ outcome }));
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'warn', 'warn', 'info', 'info'],
    );
  });

  it('cuts what a program calls itself, which may be as long as a head', () => {
    const { report, lines } = createLogOnPaper();
    report(refused({ userAgent: 'x'.repeat(16_000) }));
    assert.equal(String(lines[0]?.fields['user_agent']).length, 120);
  });

  it('has five lines of a source in a window, and then one that says how many it left out', () => {
    const { report, turn, said, dropped } = createLogOnPaper();
    times(60, () => report(refused()));
    report(refused({ peer: '10.0.0.2' }));
    assert.equal(said().length, 6);
    turn();
    assert.deepEqual(said(), [
      { level: 'info', message: 'refusals of one source were left out of the log', dropped: 55 },
    ]);
    assert.deepEqual([...dropped], [['source', 55]]);
    report(refused());
    turn();
    assert.deepEqual(said(), [{ level: 'info', message: 'request refused', dropped: undefined }]);
  });

  it('ends a window by itself, ten seconds after the refusal that began it', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { report, said } = createLogOnPaper();
    times(7, () => report(refused()));
    t.mock.timers.tick(LOG_WINDOW_MS - 1);
    assert.equal(said().length, 5);
    t.mock.timers.tick(1);
    assert.deepEqual(
      said().map(({ dropped: leftOut }) => leftOut),
      [2],
    );
    report(refused());
    assert.equal(said().length, 1);
  });

  it('names the source whose refusals it left out', () => {
    const { report, turn, lines } = createLogOnPaper();
    const key = newRecord({ id: '42', name: 'checkout' });
    times(6, () => report(refused({ outcome: 'revoked_key', key, fingerprint: 'c0ffee', userAgent: 'otel' })));
    turn();
    assert.deepEqual(lines.at(-1)?.fields, {
      reason: 'revoked_key',
      peer: '10.0.0.1',
      user_agent: 'otel',
      key_id: '42',
      key_name: 'checkout',
      fingerprint: undefined,
      dropped: 1,
    });
  });

  it('is bounded in a window, however many are refused, and accounts for each of them', () => {
    const { report, turn, lines, dropped } = createLogOnPaper();
    const count = 50_000;
    const key = newRecord({ id: '42', name: 'checkout' });
    report(newReport({ key }));
    lines.splice(0);
    times(count, (i) =>
      report(refused({ peer: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, userAgent: `p${i % 7}` })),
    );
    times(count, () => report(refused({ outcome: 'revoked_key', key })));
    turn();
    assert.ok(lines.length <= MAX_REFUSAL_LINES, `${lines.length}`);
    const told = lines.filter(({ message }) => message === 'request refused').length;
    const leftOut = lines.reduce((sum, { fields }) => sum + Number(fields['dropped'] ?? 0), 0);
    assert.equal(told + leftOut, 2 * count);
    assert.equal(
      leftOut,
      [...dropped.values()].reduce((sum, each) => sum + each, 0),
    );
  });

  for (const processes of [2, 3, 11, 50, 64]) {
    it(`is bounded for ${processes} processes together as for one, but that each has a line at least`, () => {
      const logs = Array.from({ length: processes }, () => createLogOnPaper({ processes }));
      const key = newRecord({ id: '42', name: 'checkout' });
      for (const { report, turn, lines } of logs) {
        report(newReport({ key }));
        lines.splice(0);
        times(1_000, (i) => report(refused({ peer: `10.0.${i >> 8}.${i & 255}` })));
        times(1_000, () => report(refused({ outcome: 'revoked_key', key })));
        turn();
        assert.ok(lines.some(({ message, fields }) => message === 'request refused' && fields['worked'] === true));
        const leftOut = lines.reduce((sum, { fields }) => sum + Number(fields['dropped'] ?? 0), 0);
        assert.equal(lines.filter(({ message }) => message === 'request refused').length + leftOut, 2_000);
        times(MAX_REQUEST_LINES, () => report(newReport()));
      }
      const all = logs.flatMap(({ lines }) => lines);
      const passed = all.filter(({ message }) => message === 'request accepted').length;
      assert.ok(passed <= MAX_REQUEST_LINES && passed > MAX_REQUEST_LINES - processes, `${passed}`);
      // Of both kinds of source: their own, and those that say what was left out.
      const bounds = [LINES_OF_ALL, MAX_REFUSAL_LINES / 2 - LINES_OF_ALL].map((lines) => Math.max(lines, processes));
      assert.ok(all.length - passed <= bounds.reduce((sum, lines) => sum + 2 * lines, 0), `${all.length - passed}`);
    });
  }

  it('has room for a sender that worked, whatever strangers do', () => {
    const { report, lines } = createLogOnPaper();
    const key = newRecord({ id: '42', name: 'checkout' });
    report(newReport({ key, peer: '10.9.9.9' }));
    times(10_000, (i) => report(refused({ peer: `10.1.${i >> 8}.${i & 255}` })));
    report(refused({ outcome: 'revoked_key', key, peer: '10.9.9.9' }));
    const { message, fields } = lines.at(-1) ?? {};
    assert.deepEqual([message, fields?.['key_name'], fields?.['worked']], ['request refused', 'checkout', true]);
  });

  it('counts nothing as left out that its level leaves out', () => {
    const { report, turn, lines, dropped } = createLogOnPaper({ from: 'warn' });
    times(100, () => report(refused()));
    turn();
    assert.deepEqual([lines, dropped.size], [[], 0]);
  });

  it('mentions accepted and cancelled requests only to whoever debugs', () => {
    const { report, lines } = createLogOnPaper();
    report(newReport());
    report(newReport({ outcome: 'cancelled' }));
    assert.deepEqual(
      lines.map(({ level, message }) => `${level}: ${message}`),
      ['debug: request accepted', 'debug: request cancelled'],
    );
    const quiet = createLogOnPaper({ from: 'info' });
    quiet.report(newReport());
    quiet.report(newReport({ outcome: 'cancelled' }));
    assert.deepEqual(quiet.lines, []);
  });

  it('is bounded for whoever debugs, too', () => {
    const { report, turn, said, dropped } = createLogOnPaper();
    times(3 * MAX_REQUEST_LINES, () => report(newReport()));
    assert.equal(said().length, MAX_REQUEST_LINES);
    turn();
    assert.deepEqual(said(), [
      { level: 'debug', message: 'lines were left out of the log', dropped: 2 * MAX_REQUEST_LINES },
    ]);
    assert.deepEqual([...dropped], [['requests', 2 * MAX_REQUEST_LINES]]);
  });

  it('mentions one accepted request of so many when it is told to, with how long the collector took', () => {
    const { report, lines } = createLogOnPaper({ acceptedEvery: 10, from: 'info' });
    times(35, (i) => report(newReport({ requestId: `r-${i}`, upstreamSeconds: 0.012345 })));
    times(5, () => report(newReport({ outcome: 'cancelled' })));
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields['request_id'], fields['upstream_ms']]),
      [9, 19, 29].map((i) => ['info', `r-${i}`, 12.35]),
    );
  });
});
