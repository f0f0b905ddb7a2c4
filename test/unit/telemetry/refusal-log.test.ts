import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestReport } from '../../../src/plane/plane.ts';
import type { Log, LogLevel } from '../../../src/telemetry/log.ts';
import { createReportLog } from '../../../src/telemetry/refusal-log.ts';
import { newReport } from '../../support/reports.ts';
import { newRecord } from '../../support/stores.ts';

/** A report log whose lines are kept and whose clock is ours. */
function createLogOnPaper() {
  const lines: { level: string; message: string; fields: object }[] = [];
  let nowMs = 1_700_000_000_000;
  const report = createReportLog(
    (level, message, fields = {}) => void lines.push({ level, message, fields }),
    () => nowMs,
  );
  return { report, lines, advance: (ms: number) => void (nowMs += ms) };
}

const refused = (fields: Partial<RequestReport> = {}): RequestReport =>
  newReport({ outcome: 'unknown_key', upstreamStatus: undefined, ...fields });

describe('the log of requests', () => {
  it('says of a refusal why, whose it was and which key it was about', () => {
    const { report, lines } = createLogOnPaper();
    report(
      refused({
        outcome: 'expired_key',
        key: newRecord({ id: '42', name: 'checkout' }),
        fingerprint: 'c0ffee',
        userAgent: 'otel',
      }),
    );
    assert.deepEqual(lines, [
      {
        level: 'info',
        message: 'request refused',
        fields: {
          request_id: 'r-1',
          reason: 'expired_key',
          protocol: 'grpc',
          route: 'otlp-grpc',
          signal: 'traces',
          peer: '10.0.0.1',
          user_agent: 'otel',
          key_id: '42',
          key_name: 'checkout',
          fingerprint: 'c0ffee',
          upstream_status: undefined,
          bytes: 100,
        },
      },
    ]);
  });

  it('warns of what is ours or the collector’s fault, and not of what is the sender’s', () => {
    const { report, lines } = createLogOnPaper();
    for (const outcome of [
      'store_unavailable',
      'upstream_timeout',
      'draining',
      'missing_credential',
      'body_too_large',
    ] as const) {
      report(refused({ outcome }));
    }
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'warn', 'warn', 'info', 'info'],
    );
  });

  it('mentions accepted and cancelled requests only to whoever debugs', () => {
    const { report, lines } = createLogOnPaper();
    report(newReport());
    report(newReport({ outcome: 'cancelled' }));
    assert.deepEqual(
      lines.map(({ level, message }) => `${level}: ${message}`),
      ['debug: request accepted', 'debug: request cancelled'],
    );
  });

  it('makes no line of them for a log that would not write it', () => {
    const levels: string[] = [];
    const log: Log = Object.assign((level: LogLevel) => void levels.push(level), {
      isEnabled: (level: LogLevel) => level !== 'debug',
    });
    const report = createReportLog(log, () => 0);
    report(newReport());
    report(newReport({ outcome: 'cancelled' }));
    assert.deepEqual(levels, []);
    report(refused());
    assert.deepEqual(levels, ['info']);
  });

  it('takes 50 refusals a second and then says how many it left out', () => {
    const { report, lines, advance } = createLogOnPaper();
    for (let i = 0; i < 60; i++) report(refused());
    assert.equal(lines.length, 50);
    advance(1_000);
    report(refused());
    assert.deepEqual(
      lines.slice(50).map(({ message, fields }) => [message, 'dropped' in fields && fields.dropped]),
      [
        ['refusals were left out of the log', 10],
        ['request refused', false],
      ],
    );
    advance(1_000);
    report(refused());
    assert.equal(lines.length, 53);
  });
});
