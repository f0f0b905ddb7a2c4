import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { KeyUse } from '../../../src/store/usage-port.ts';
import { createUsageRecorder } from '../../../src/usage/usage.ts';
import type { UsageOptions } from '../../../src/usage/usage.ts';
import { newRecord } from '../../support/stores.ts';

const HOUR_MS = 3_600_000;

function setUp(t: TestContext, options: Partial<UsageOptions> = {}) {
  let nowMs = 1_000;
  const calls: (readonly KeyUse[])[] = [];
  const told: string[] = [];
  const store = { away: false };
  const recorder = createUsageRecorder({
    record: async (uses) => {
      calls.push(uses);
      if (store.away) throw new Error('away');
    },
    now: () => nowMs,
    intervalMs: HOUR_MS,
    observe: {
      written: (outcome) => void told.push(outcome),
      dropped: (requests) => void told.push(`dropped ${requests}`),
    },
    ...options,
  });
  t.after(() => recorder.close());
  return { recorder, calls, told, store, advance: (ms: number) => void (nowMs += ms) };
}

const key = newRecord({ id: '7' });

describe('the use of keys', () => {
  it('is written as a sum for each key, with the addresses it came from', async (t) => {
    const { recorder, calls, advance } = setUp(t);
    recorder.used(key, '10.0.0.1', 100);
    advance(5);
    recorder.used(key, '::ffff:10.0.0.1', 20);
    recorder.used(key, '2001:db8::1', 3);
    recorder.used(newRecord({ id: '8' }), '', 0);
    await recorder.flush();
    assert.deepEqual(calls, [
      [
        {
          id: '7',
          lastUsedAt: 1_005,
          requests: 3,
          bytes: 123,
          sources: [
            { address: '10.0.0.1', lastUsedAt: 1_005 },
            { address: '2001:db8::1', lastUsedAt: 1_005 },
          ],
        },
        { id: '8', lastUsedAt: 1_005, requests: 1, bytes: 0, sources: [] },
      ],
    ]);
    await recorder.flush();
    assert.equal(calls.length, 1, 'nothing was used since');
  });

  it('is not noted for receiver keys, which are not in the store', async (t) => {
    const { recorder, calls } = setUp(t);
    recorder.used(newRecord({ kind: 'receiver' }), '10.0.0.1', 1);
    await recorder.flush();
    assert.deepEqual(calls, []);
  });

  it('is written in batches, and notes no more than 16 addresses of a key', async (t) => {
    const { recorder, calls, told } = setUp(t);
    for (let i = 0; i < 110; i++) recorder.used(newRecord({ id: String(i) }), '10.0.0.1', 1);
    for (let i = 0; i < 30; i++) recorder.used(key, `10.0.1.${i}`, 1);
    await recorder.flush();
    assert.deepEqual(
      calls.map((uses) => uses.length),
      [50, 50, 10],
    );
    assert.equal(calls[0]?.[7]?.sources.length, 16);
    assert.equal(calls[0]?.[7]?.requests, 31);
    assert.deepEqual(told, ['ok', 'ok', 'ok']);
  });

  it('is kept when it cannot be written, and written with what came since', async (t) => {
    const { recorder, calls, told, store, advance } = setUp(t);
    store.away = true;
    for (let i = 0; i < 250; i++) recorder.used(newRecord({ id: String(i) }), '10.0.0.1', 1);
    await recorder.flush();
    assert.deepEqual(told, ['failed'], 'after a failure nothing more is tried');
    advance(10);
    recorder.used(key, '10.0.0.2', 5);
    store.away = false;
    await recorder.flush();
    const written = calls.slice(1).flat();
    assert.equal(written.length, 250);
    assert.deepEqual(
      written.find(({ id }) => id === '7'),
      {
        id: '7',
        lastUsedAt: 1_010,
        requests: 2,
        bytes: 6,
        sources: [
          { address: '10.0.0.2', lastUsedAt: 1_010 },
          { address: '10.0.0.1', lastUsedAt: 1_000 },
        ],
      },
    );
  });

  it('is written early when many keys are used, and what finds no room is counted', async (t) => {
    const { recorder, calls, told, store } = setUp(t, { maxKeys: 3 });
    const use = (ids: readonly number[]) => ids.map((id) => recorder.used(newRecord({ id: String(id) }), '', 1));
    use([1, 2, 3]);
    await recorder.flush();
    assert.deepEqual(
      calls.map((uses) => uses.length),
      [3],
    );
    store.away = true;
    use([4, 5]);
    await recorder.flush();
    use([6, 7, 7, 8]);
    assert.equal(calls.length, 2, 'a store that is away is not asked for each key');
    await recorder.flush();
    assert.deepEqual(told, ['ok', 'failed', 'failed', 'dropped 3']);
  });

  it('is written at the end, and now and then', async (t) => {
    const { recorder, calls } = setUp(t);
    recorder.used(key, '', 1);
    await recorder.close();
    assert.equal(calls.length, 1);
    t.mock.timers.enable({ apis: ['setInterval'] });
    const often = setUp(t, { intervalMs: 10 });
    often.recorder.used(key, '', 1);
    t.mock.timers.tick(10);
    assert.equal(often.calls.length, 1);
  });
});
