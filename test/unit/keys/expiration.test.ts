import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parseExpirationDate } from '../../../src/keys/expiration.ts';

describe('an expiration date', () => {
  it('is the start of that day in UTC', () => {
    assert.deepEqual(parseExpirationDate('2020-05-22'), { expiresAt: 1_590_105_600_000 });
    assert.deepEqual(parseExpirationDate('2028-02-29'), { expiresAt: Date.UTC(2028, 1, 29) });
  });

  it('is read back as it was written, for every day', () => {
    const day = fc.date({ min: new Date(0), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true });
    fc.assert(
      fc.property(day, (date) => {
        const text = date.toISOString().slice(0, 10);
        const result = parseExpirationDate(text);
        return 'expiresAt' in result && new Date(result.expiresAt).toISOString() === `${text}T00:00:00.000Z`;
      }),
    );
  });

  for (const text of [
    '',
    '2030',
    '2030-1-1',
    '30-01-01',
    '2030/01/01',
    '2030-01-01T00:00:00Z',
    ' 2030-01-01',
    'tomorrow',
  ]) {
    it(`must be written as yyyy-MM-dd: "${text}"`, () => {
      assert.deepEqual(parseExpirationDate(text), { problem: 'must be a date as yyyy-MM-dd, such as 2030-12-31' });
    });
  }

  for (const text of [
    '2030-02-30',
    '2027-02-29',
    '2030-13-01',
    '2030-00-10',
    '2030-01-00',
    '2030-04-31',
    '2030-01-32',
  ]) {
    it(`must be a day that there is: ${text}`, () => {
      assert.deepEqual(parseExpirationDate(text), { problem: 'must be a day that the calendar has' });
    });
  }
});
