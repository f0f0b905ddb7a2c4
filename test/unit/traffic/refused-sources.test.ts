import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestReport } from '../../../src/plane/plane.ts';
import { createRefusedSources } from '../../../src/traffic/refused-sources.ts';
import { newRecord } from '../../support/stores.ts';

const HOUR = 3_600_000;
const record = newRecord({ name: 'payments' });

function report(about: Partial<RequestReport>): RequestReport {
  return {
    requestId: 'r',
    traceId: undefined,
    protocol: 'grpc',
    route: 'otlp-grpc',
    signal: 'traces',
    outcome: 'unknown_key',
    upstreamStatus: undefined,
    key: undefined,
    fingerprint: undefined,
    peer: '10.0.0.1',
    userAgent: 'otelcol/1.0',
    receivedBytes: 0,
    sentBytes: 0,
    decisionSeconds: 0,
    upstreamSeconds: undefined,
    ...about,
  };
}

function sourcesAt(startMs = 0) {
  let nowMs = startMs;
  const sources = createRefusedSources(() => nowMs);
  return {
    pass: (ms: number) => void (nowMs += ms),
    note: (about: Partial<RequestReport>) => sources.note(report(about)),
    top: () => sources.top(10),
    persistent: () => sources.persistent(10).map(({ peer }) => peer),
  };
}

describe('a source that is refused', () => {
  it('is told with where it is, its program, its key or what it sent in its place, and why', () => {
    const { note, top } = sourcesAt(1_000);
    note({ outcome: 'revoked_key', key: record, fingerprint: 'abc' });
    note({ outcome: 'revoked_key', key: record, fingerprint: 'abc' });
    note({ fingerprint: 'def', userAgent: undefined, peer: '10.0.0.2' });
    note({ outcome: 'cancelled' });
    const [first, second, ...others] = top().map(({ perSecond: _rate, ...rest }) => rest);
    const times = { firstAtMs: 1_000, lastAtMs: 1_000, workedAtMs: undefined };
    assert.deepEqual(first, {
      peer: '10.0.0.1',
      userAgent: 'otelcol/1.0',
      reason: 'revoked_key',
      keyId: record.id,
      keyName: 'payments',
      fingerprint: undefined,
      count: 2,
      ...times,
    });
    assert.deepEqual(second, {
      peer: '10.0.0.2',
      userAgent: undefined,
      reason: 'unknown_key',
      keyId: undefined,
      keyName: undefined,
      fingerprint: 'def',
      count: 1,
      ...times,
    });
    assert.equal(others.length, 0);
  });

  it('has worked before if its key was let through within a day, wherever it was sent from', () => {
    const { note, top, pass } = sourcesAt(5);
    note({ outcome: 'accepted', key: record, peer: '10.9.9.9' });
    pass(HOUR);
    note({ outcome: 'expired_key', key: record });
    assert.equal(top()[0]?.workedAtMs, 5);
    pass(24 * HOUR);
    assert.equal(top()[0]?.workedAtMs, undefined);
  });

  it('has worked before if the same program at the same address was let through with another key', () => {
    const { note, top, pass } = sourcesAt(5);
    note({ outcome: 'accepted', key: record });
    pass(HOUR);
    note({ fingerprint: 'mistyped' });
    note({ fingerprint: 'of another program', userAgent: 'curl' });
    const workedAt = new Map(top().map(({ fingerprint, workedAtMs }) => [fingerprint, workedAtMs]));
    assert.deepEqual([workedAt.get('mistyped'), workedAt.get('of another program')], [5, undefined]);
  });

  it('does not hide by sending another key or name each time', () => {
    const { note, top } = sourcesAt();
    for (let i = 0; i < 1_000; i++) note({ fingerprint: `random ${i}`, userAgent: `program ${i}` });
    note({ fingerprint: 'mistyped', peer: '10.0.0.2' });
    note({ outcome: 'revoked_key', key: record });
    const [first, ...others] = top();
    assert.deepEqual(
      [first?.peer, first?.fingerprint, first?.userAgent, first?.count],
      ['10.0.0.1', 'various', 'various', 984],
    );
    assert.ok(others.every(({ count }) => count === 1));
  });

  it('is persistent when it is refused for the third time, until it stays away for longer than metrics are sent', () => {
    const { note, persistent, pass } = sourcesAt();
    note({});
    note({});
    note({ peer: '10.0.0.2' });
    assert.deepEqual(persistent(), []);
    note({});
    assert.deepEqual(persistent(), ['10.0.0.1']);
    pass(150_000);
    assert.deepEqual(persistent(), ['10.0.0.1']);
    pass(1);
    assert.deepEqual(persistent(), []);
  });

  it('that worked comes first, and is not lost in a flood of strangers', () => {
    const { note, top, persistent, pass } = sourcesAt(5);
    note({ outcome: 'accepted', key: record });
    for (let round = 0; round < 3; round++) {
      note({ outcome: 'expired_key', key: record });
      for (let i = 0; i < 20_000; i++) note({ peer: `10.1.${i >> 8}.${i & 255}`, userAgent: `program ${i % 3}` });
      pass(60_000);
    }
    assert.deepEqual([top()[0]?.keyName, top()[0]?.count, top().length], ['payments', 3, 10]);
    assert.equal(persistent()[0], '10.0.0.1');
  });

  it('may call itself anything of any length', () => {
    const { note, top } = sourcesAt();
    note({ userAgent: 'x'.repeat(10_000) });
    note({ userAgent: `${'x'.repeat(10_000)}y` });
    assert.deepEqual(
      top().map(({ userAgent, count }) => [userAgent?.length, count]),
      [[120, 2]],
    );
  });
});
