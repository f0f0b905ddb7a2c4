import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { feedObserver, upstreamObserver } from '../../../src/telemetry/observers.ts';
import { Endpoint } from '../../../src/upstream/endpoint.ts';

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
    const metrics = createMetrics({
      version: '1.2.3',
      cacheSizes: () => ({ known: 0, unknown: 0 }),
      refusedSources: () => [],
      heldBytes: () => 0,
    });
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
    const metrics = createMetrics({
      version: '1.2.3',
      cacheSizes: () => ({ known: 0, unknown: 0 }),
      refusedSources: () => [],
      heldBytes: () => 0,
    });
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

describe('what is told of the change feed', () => {
  it('is told on, with until when everything was heard', async () => {
    const metrics = createMetrics({
      version: '1.2.3',
      cacheSizes: () => ({ known: 0, unknown: 0 }),
      refusedSources: () => [],
      heldBytes: () => 0,
    });
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
