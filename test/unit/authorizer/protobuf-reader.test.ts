import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { decodeCheckRequest } from '../../../src/authorizer/check-messages.ts';
import { readFields } from '../../../src/authorizer/protobuf-reader.ts';

const fieldsOf = (hex: string) =>
  [...readFields(Buffer.from(hex, 'hex'))].map(({ number, bytes }) => [number, bytes?.toString()]);

describe('the fields of a protobuf message', () => {
  it('are its texts and messages; numbers are skipped', () => {
    assert.deepEqual(fieldsOf('0a026162'), [[1, 'ab']]);
    assert.deepEqual(fieldsOf('08ffffffffffffffffff011101020304050607081d010203047a00'), [
      [1, undefined],
      [2, undefined],
      [3, undefined],
      [15, ''],
    ]);
    assert.deepEqual(fieldsOf('8a080161'), [[129, 'a']], 'a number of two bytes');
  });

  it('are none of what is cut short, or no message', () => {
    for (const hex of [
      '0a',
      '0a0361',
      '80',
      '09010203',
      '0d0102',
      '0b',
      'ffffffffffffffffffffff',
      '0affffffffffffffffff01',
    ])
      assert.throws(() => fieldsOf(hex), RangeError, hex);
  });

  it('are read or refused, whatever comes, and nothing is read that is not there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const { fields } = decodeCheckRequest(Buffer.from(bytes));
          assert.ok(fields.join('').length <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
