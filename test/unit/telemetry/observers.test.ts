import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feedObserver, turnedAwayObserver, upstreamObserver, usageObserver } from '../../../src/telemetry/observers.ts';
import { Endpoint } from '../../../src/upstream/endpoint.ts';
import { newMetrics } from '../../support/metrics.ts';

const endpoint = new Endpoint({
  address: '192.0.2.1',
  port: 4317,
  random: () => 0,
  probe: undefined,
  canBeSpared: () => true,
  changed: () => {},
});

describe('what is told of the way to collectors', () => {
  it('is added up for those of one protocol', async () => {
    const metrics = newMetrics();
    const [one, other] = [upstreamObserver(metrics, () => {}, 'http'), upstreamObserver(metrics, () => {}, 'http')];
    one.addresses(3, 0);
    other.addresses(2, 0);
    one.addresses(1, 2);
    one.ejected(endpoint);
    one.ejected(endpoint);
    one.connections(4);
    other.connections(8);
    one.connections(1);
    const text = await metrics.registry.metrics();
    for (const line of [
      'keygate_upstream_addresses{protocol="http",state="healthy"} 3',
      'keygate_upstream_addresses{protocol="http",state="ejected"} 2',
      'keygate_upstream_ejections_total{protocol="http"} 2',
      'keygate_upstream_connections{protocol="http"} 9',
    ]) {
      assert.ok(text.includes(line), line);
    }
  });

  it('is a warning when it is trouble', () => {
    const metrics = newMetrics();
    const lines: unknown[] = [];
    const observer = upstreamObserver(metrics, (...line) => lines.push(line), 'grpc');
    observer.ejected(endpoint);
    observer.resolved('failed', new Error('ENOTFOUND'));
    observer.resolved('ok');
    assert.deepEqual(lines, [
      [
        'warn',
        'requests fail at an address of the collector; it gets none for a while',
        { protocol: 'grpc', address: '192.0.2.1' },
      ],
      ['warn', 'the name of the collector cannot be resolved', { protocol: 'grpc', cause: 'ENOTFOUND' }],
      ['info', 'the name of the collector is resolved again', { protocol: 'grpc' }],
    ]);
  });
});

describe('what is told of connections that were turned away', () => {
  it('is who they were and why, for those who ask for more of the log', async () => {
    const metrics = newMetrics();
    const lines: unknown[] = [];
    const turnedAway = turnedAwayObserver(metrics, (...line) => lines.push(line));
    turnedAway('grpc', 'handshake', '192.0.2.1', 'unknown ca');
    turnedAway('grpc', 'limit', undefined);
    const fields = [
      { port: 'grpc', fault: 'handshake', peer: '192.0.2.1', cause: 'unknown ca' },
      { port: 'grpc', fault: 'limit', peer: undefined, cause: undefined },
    ];
    assert.deepEqual(
      lines,
      fields.map((each) => ['debug', 'a connection was turned away', each]),
    );
    const text = await metrics.registry.getSingleMetricAsString('keygate_connections_turned_away_total');
    for (const cause of ['handshake', 'limit']) assert.ok(text.includes(`{port="grpc",cause="${cause}"} 1`), text);
  });
});

describe('what is told of the use of keys', () => {
  it('is a warning when it cannot be written any more, and that it can again', async () => {
    const metrics = newMetrics();
    const lines: unknown[] = [];
    const observer = usageObserver(metrics, (...line) => lines.push(line));
    observer.written('ok');
    for (const cause of ['OOM', 'OOM', 'READONLY']) observer.written('failed', new Error(cause));
    observer.written('ok');
    observer.written('ok');
    const warning = 'the use of keys cannot be written to the key store; this is tried again';
    assert.deepEqual(lines, [
      ['warn', warning, { cause: 'OOM' }],
      ['warn', warning, { cause: 'READONLY' }],
      ['info', 'the use of keys is written again'],
    ]);
    const text = await metrics.registry.getSingleMetricAsString('keygate_usage_writes_total');
    for (const line of ['{outcome="ok"} 3', '{outcome="failed"} 3']) assert.ok(text.includes(line), text);
  });
});

describe('what is told of the change feed', () => {
  it('is told on, with until when everything was heard', async () => {
    const metrics = newMetrics();
    const told: unknown[] = [];
    const observer = feedObserver(metrics, () => 1_700_000_002_500, {
      changed: (digest) => void told.push(digest),
      gap: () => void told.push('gap'),
      current: (agoMs) => void told.push(agoMs),
    });
    observer.gap();
    observer.current?.(500);
    assert.deepEqual(told, ['gap', 500]);
    const text = await metrics.registry.getSingleMetricAsString('keygate_feed_current_timestamp_seconds');
    assert.match(text, /^keygate_feed_current_timestamp_seconds 1700000002$/m);
  });
});
