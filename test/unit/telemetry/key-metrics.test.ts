import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyRecord } from '../../../src/keys/record.ts';
import type { RequestReport } from '../../../src/plane/plane.ts';
import { createKeyMetrics } from '../../../src/telemetry/key-metrics.ts';
import { newRecord } from '../../support/stores.ts';

const DAY = 24 * 3_600_000;

function start(maxKeys: number) {
  let nowMs = DAY;
  const metrics = createKeyMetrics({ maxKeys, now: () => nowMs });
  const accept = (key: KeyRecord, receivedBytes: number): void =>
    metrics.note({ outcome: 'accepted', key, receivedBytes } as RequestReport);
  const lines = (): string[] =>
    [...metrics.text()]
      .join('')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
  return { metrics, accept, lines, pass: (ms: number) => void (nowMs += ms) };
}

describe('the metrics of keys', () => {
  it('count what each of them sent, and when it ends', () => {
    const { metrics, accept, lines } = start(10);
    const forever = newRecord({ id: '1', name: 'a "quoted" \\ name' });
    const ending = newRecord({ id: '2', name: 'ci', expiresAt: 90_000 });
    accept(forever, 100);
    accept(forever, 50);
    accept(ending, 7);
    metrics.note({ outcome: 'revoked_key', key: ending, receivedBytes: 9 } as RequestReport);
    assert.deepEqual(lines(), [
      'keygate_key_requests_total{key_id="1",key_name="a \\"quoted\\" \\\\ name"} 2',
      'keygate_key_requests_total{key_id="2",key_name="ci"} 1',
      'keygate_key_request_bytes_total{key_id="1",key_name="a \\"quoted\\" \\\\ name"} 150',
      'keygate_key_request_bytes_total{key_id="2",key_name="ci"} 7',
      'keygate_key_expiry_timestamp_seconds{key_id="2",key_name="ci"} 90',
    ]);
    accept(newRecord({ id: '2', name: 'ci', expiresAt: 120_000, retireAt: 110_000 }), 0);
    assert.equal(lines().at(-1), 'keygate_key_expiry_timestamp_seconds{key_id="2",key_name="ci"} 110');
  });

  it('add up what is sent with more keys than may have series of their own', () => {
    const { accept, lines, pass } = start(2);
    for (const id of ['1', '2', '3', '4']) accept(newRecord({ id, name: `key ${id}`, expiresAt: 1_000 }), 10);
    const others = 'key_id="other",key_name="other"';
    assert.deepEqual(
      lines().filter((line) => line.includes('other')),
      [`keygate_key_requests_total{${others}} 2`, `keygate_key_request_bytes_total{${others}} 20`],
    );
    pass(DAY / 2);
    accept(newRecord({ id: '2', name: 'key 2' }), 10);
    pass(DAY / 2 + 1);
    lines(); // the first key has sent nothing for a day
    accept(newRecord({ id: '3', name: 'key 3' }), 10);
    assert.ok(lines().includes('keygate_key_requests_total{key_id="3",key_name="key 3"} 1'));
    assert.ok(!lines().some((line) => line.includes('key_id="1"')));
  });
});
