import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newMetrics } from '../../support/metrics.ts';
import { newReport } from '../../support/reports.ts';
import { newRecord } from '../../support/stores.ts';

const create = () => newMetrics({ cacheSizes: () => ({ known: 7, unknown: 3 }), heldBytes: () => 4_096 });

/** The series of a metric as Prometheus reads them, without help and type. */
async function seriesOf(metrics: ReturnType<typeof create>, name: string): Promise<string[]> {
  const text = await metrics.registry.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the metrics', () => {
  it('count requests by how they ended', async () => {
    const metrics = create();
    for (const outcome of ['accepted', 'accepted', 'cancelled', 'unknown_key', 'store_timeout'] as const) {
      metrics.started('grpc');
      metrics.ended(newReport({ outcome }));
    }
    metrics.started('http');
    metrics.ended(newReport({ protocol: 'http', route: undefined, signal: undefined, outcome: 'not_found' }));
    for (const route of ['rum', 'remote-config'] as const) {
      metrics.started('http');
      metrics.ended(newReport({ protocol: 'http', route, signal: undefined }));
    }
    metrics.started('grpc');
    metrics.ended(newReport({ route: 'grpc', signal: undefined }));
    assert.deepEqual(await seriesOf(metrics, 'keygate_requests_total'), [
      'keygate_requests_total{signal="traces",protocol="grpc",verdict="allow",reason="none"} 2',
      'keygate_requests_total{signal="traces",protocol="grpc",verdict="cancelled",reason="none"} 1',
      'keygate_requests_total{signal="traces",protocol="grpc",verdict="deny",reason="unknown_key"} 1',
      'keygate_requests_total{signal="traces",protocol="grpc",verdict="undecided",reason="store_timeout"} 1',
      'keygate_requests_total{signal="none",protocol="http",verdict="deny",reason="not_found"} 1',
      'keygate_requests_total{signal="rum",protocol="http",verdict="allow",reason="none"} 1',
      'keygate_requests_total{signal="remote-config",protocol="http",verdict="allow",reason="none"} 1',
      'keygate_requests_total{signal="grpc",protocol="grpc",verdict="allow",reason="none"} 1',
    ]);
  });

  it('know how many requests are in flight', async () => {
    const metrics = create();
    metrics.started('grpc');
    metrics.started('grpc');
    metrics.ended(newReport());
    assert.deepEqual(await seriesOf(metrics, 'keygate_requests_in_flight'), [
      'keygate_requests_in_flight{protocol="grpc"} 1',
    ]);
  });

  it('time the collector only for requests that were sent on', async () => {
    const metrics = create();
    metrics.ended(newReport({ upstreamSeconds: 0.5 }));
    metrics.ended(newReport({ outcome: 'unknown_key', upstreamSeconds: undefined }));
    const counts = (await seriesOf(metrics, 'keygate_upstream_seconds')).filter((line) => line.includes('_count'));
    assert.deepEqual(counts, ['keygate_upstream_seconds_count{protocol="grpc"} 1']);
    const decisions = (await seriesOf(metrics, 'keygate_decision_seconds')).filter((line) => line.includes('_count'));
    assert.deepEqual(decisions, ['keygate_decision_seconds_count{protocol="grpc"} 2']);
  });

  it('ask the cache for its sizes when they are read', async () => {
    assert.deepEqual(await seriesOf(create(), 'keygate_cache_entries'), [
      'keygate_cache_entries{pool="known"} 7',
      'keygate_cache_entries{pool="unknown"} 3',
    ]);
  });

  it('ask the plane what bodies hold when they are read', async () => {
    assert.deepEqual(await seriesOf(create(), 'keygate_held_bytes'), ['keygate_held_bytes 4096']);
  });

  it('have the connections that were turned away before there is one, so that a rate sees the first', async () => {
    const metrics = create();
    metrics.turnedAway('http', 'handshake');
    assert.deepEqual(await seriesOf(metrics, 'keygate_connections_turned_away_total'), [
      'keygate_connections_turned_away_total{port="grpc",cause="limit"} 0',
      'keygate_connections_turned_away_total{port="grpc",cause="handshake"} 0',
      'keygate_connections_turned_away_total{port="grpc",cause="certificate"} 0',
      'keygate_connections_turned_away_total{port="http",cause="limit"} 0',
      'keygate_connections_turned_away_total{port="http",cause="handshake"} 1',
      'keygate_connections_turned_away_total{port="http",cause="certificate"} 0',
    ]);
  });

  it('say nothing of who sent what', async () => {
    const metrics = create();
    const key = newRecord({ id: '4242', name: 'checkout-key', tenant: 'acme-tenant' });
    metrics.ended(
      newReport({ requestId: 'request-0e4c', key, fingerprint: 'c0ffee', peer: '10.9.8.7', userAgent: 'otel-agent' }),
    );
    const text = await metrics.registry.metrics();
    for (const secret of ['4242', 'checkout-key', 'acme-tenant', 'request-0e4c', 'c0ffee', '10.9.8.7', 'otel-agent']) {
      assert.ok(!text.includes(secret), secret);
    }
  });

  it('of two gateways in one process do not mix', async () => {
    const [one, other] = [create(), create()];
    one.ended(newReport());
    assert.deepEqual(await seriesOf(other, 'keygate_requests_total'), []);
  });
});
