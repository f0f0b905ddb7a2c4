import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from '../../../src/reply/refusal.ts';
import { row } from '../../../src/verdict/reasons.ts';
import { newRecord } from '../../support/stores.ts';

const REQUEST = '0e4c';

describe('a refusal in words', () => {
  it('names the reason and the request', () => {
    assert.deepEqual(explain({ verdict: 'refuse', reason: 'unknown_key' }, REQUEST), {
      row: row('unknown_key'),
      requestId: REQUEST,
      status: {
        code: 7,
        message: `${row('unknown_key').message} (unknown_key, request 0e4c)`,
        errorInfo: { reason: 'unknown_key', domain: 'keygate', metadata: { request_id: REQUEST } },
        retryDelaySeconds: undefined,
      },
    });
  });

  it('names the key, by its id alone, to whoever sent its exact text', () => {
    const key = newRecord({ id: '42', name: 'secret project', description: 'very' });
    assert.deepEqual(explain({ verdict: 'refuse', reason: 'expired_key', key }, REQUEST), {
      row: row('expired_key'),
      requestId: REQUEST,
      status: {
        code: 7,
        message: `${row('expired_key').message} (expired_key, key 42, request 0e4c)`,
        errorInfo: { reason: 'expired_key', domain: 'keygate', metadata: { request_id: REQUEST, key_id: '42' } },
        retryDelaySeconds: undefined,
      },
    });
  });

  it('spreads the delay over whole seconds from 1 to 5', () => {
    const delays = [0, 0.2, 0.4, 0.6, 0.8, 0.999_999].map(
      (random) => explain({ verdict: 'refuse', reason: 'draining' }, REQUEST, () => random).status.retryDelaySeconds,
    );
    assert.deepEqual(delays, [1, 2, 3, 4, 5, 5]);
  });

  it('asks for no shorter wait than the refusal says, and for none that makes senders give up', () => {
    const delays = [0, 1, 1_000, 1_001, 3_200, 60_000].map((retryAfterMs) =>
      [0, 0.999_999].map(
        (random) =>
          explain({ verdict: 'refuse', reason: 'rate_limited', retryAfterMs }, REQUEST, () => random).status
            .retryDelaySeconds,
      ),
    );
    assert.deepEqual(delays, [
      [1, 5],
      [1, 5],
      [1, 5],
      [2, 5],
      [4, 5],
      [5, 5],
    ]);
  });
});
