import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parseGrpcTimeout } from '../../../src/plane/grpc-timeout.ts';

describe('how long a gRPC client waits', () => {
  it('is said in hours, minutes, seconds, milliseconds, microseconds or nanoseconds', () => {
    const said = {
      '2H': 7_200_000,
      '3M': 180_000,
      '10S': 10_000,
      '3990m': 3_990,
      '4999500u': 4_999.5,
      '5000000n': 5,
      '0S': 0,
    };
    for (const [value, timeoutMs] of Object.entries(said)) assert.deepEqual(parseGrpcTimeout(value), { timeoutMs });
  });

  it('is for ever if it does not say', () => {
    assert.deepEqual(parseGrpcTimeout(undefined), { timeoutMs: Infinity });
  });

  it('may have 8 digits and no more', () => {
    assert.deepEqual(parseGrpcTimeout('99999999H'), { timeoutMs: 99_999_999 * 3_600_000 });
    assert.deepEqual(parseGrpcTimeout('100000000n'), { problem: 'bad_request' });
  });

  it('is a problem in any other form', () => {
    for (const value of [
      '',
      'S',
      '10',
      '10s',
      '1h',
      '-1S',
      '+1S',
      '1.5S',
      ' 1S',
      '1S ',
      '1 S',
      '0x1S',
      '1S, 2S',
      '１S',
    ]) {
      assert.deepEqual(parseGrpcTimeout(value), { problem: 'bad_request' }, JSON.stringify(value));
    }
  });

  it('is read or is a problem, and nothing else, whatever was sent', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,9}[HMSmun]?$/)), (value) => {
        const result = parseGrpcTimeout(value);
        assert.ok('problem' in result || (Number.isFinite(result.timeoutMs) && result.timeoutMs >= 0));
      }),
    );
  });
});
