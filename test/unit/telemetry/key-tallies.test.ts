import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyRecord } from '../../../src/keys/record.ts';
import type { RequestReport } from '../../../src/plane/plane.ts';
import { createKeyMetrics } from '../../../src/telemetry/key-metrics.ts';
import { createKeyTallies } from '../../../src/telemetry/key-tallies.ts';
import { newRecord } from '../../support/stores.ts';

function start(maxKeys: number) {
  const { note, take } = createKeyTallies(maxKeys);
  return {
    note,
    /** As it comes to another process. */
    take: () => JSON.parse(JSON.stringify([...take()])) as ReturnType<typeof take> extends Iterable<infer P> ? P[] : [],
    accept: (key: KeyRecord, receivedBytes: number): void =>
      note({ outcome: 'accepted', key, receivedBytes } as RequestReport),
  };
}

describe('what each key has sent in one of several processes', () => {
  it('is told once, with as much of the key as its metrics say', () => {
    const { accept, note, take } = start(10);
    const key = newRecord({ id: '1', name: 'ci', expiresAt: 90_000, createdBy: 'nobody here needs this' });
    accept(key, 100);
    accept(key, 50);
    note({ outcome: 'revoked_key', key, receivedBytes: 9 } as RequestReport);
    assert.deepEqual(take(), [[{ key: { id: '1', name: 'ci', expiresAt: 90_000 }, requests: 2, bytes: 150 }]]);
    assert.deepEqual(take(), []);
    accept(key, 1);
    assert.deepEqual(take(), [[{ key: { id: '1', name: 'ci', expiresAt: 90_000 }, requests: 1, bytes: 1 }]]);
  });

  it('is told together for those beyond the bound', () => {
    const { accept, take } = start(1);
    for (const id of ['1', '2', '3']) accept(newRecord({ id, name: id }), 10);
    const other = { key: { id: 'other', name: 'other' }, requests: 2, bytes: 20 };
    assert.deepEqual(take(), [[{ key: { id: '1', name: '1' }, requests: 1, bytes: 10 }, other]]);
  });

  it('comes in pieces of a thousand', () => {
    const { accept, take } = start(10_000);
    for (let i = 0; i < 2_500; i++) accept(newRecord({ id: String(i) }), 1);
    assert.deepEqual(
      take().map((piece) => piece.length),
      [1_000, 1_000, 500],
    );
  });

  it('adds up with what another one tells, the others with the others', () => {
    const metrics = createKeyMetrics({ maxKeys: 2, now: () => 0 });
    const [a, b] = [start(1), start(2)];
    const keys = ['1', '2', '3'].map((id) => newRecord({ id, name: `key ${id}`, retireAt: 90_000 }));
    for (const { accept } of [a, b]) for (const key of keys) accept(key, 10);
    for (const { take } of [a, b]) take().forEach(metrics.add);
    const lines = [...metrics.text()]
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('keygate'));
    assert.deepEqual(lines, [
      'keygate_key_requests_total{key_id="1",key_name="key 1"} 2',
      'keygate_key_requests_total{key_id="2",key_name="key 2"} 1',
      'keygate_key_requests_total{key_id="other",key_name="other"} 3',
      'keygate_key_request_bytes_total{key_id="1",key_name="key 1"} 20',
      'keygate_key_request_bytes_total{key_id="2",key_name="key 2"} 10',
      'keygate_key_request_bytes_total{key_id="other",key_name="other"} 30',
      'keygate_key_expiry_timestamp_seconds{key_id="1",key_name="key 1"} 90',
      'keygate_key_expiry_timestamp_seconds{key_id="2",key_name="key 2"} 90',
    ]);
  });
});
