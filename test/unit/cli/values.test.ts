import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/cli/errors.ts';
import { collectList, formatExpiration, parseExpiration, parseId } from '../../../src/cli/values.ts';

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  return assert.fail('it did not throw');
}

test('an expiration is the start of its day in UTC, and is shown as that day', () => {
  assert.equal(parseExpiration('2020-05-22'), 1_590_105_600_000);
  assert.equal(formatExpiration(1_590_105_600_000), '2020-05-22');
  assert.equal(formatExpiration(undefined), '');
});

test('a date that is none says which form is wanted', () => {
  assert.equal(
    messageOf(() => parseExpiration('tomorrow')),
    'invalid argument "tomorrow" for "--expiration" flag: invalid time format `tomorrow` must be one of: `2006-01-02` (it must be a date as yyyy-MM-dd, such as 2030-12-31)',
  );
});

test('an id may be any int64 and stays as it was written', () => {
  assert.equal(parseId('9223372036854775807'), '9223372036854775807');
  for (const id of ['foo', '', '-1', '1.5', '../2', '12345678901234567890']) {
    assert.equal(
      messageOf(() => parseId(id)),
      `invalid argument ${JSON.stringify(id)} for "-i, --id" flag: it must be the number that the list shows`,
    );
  }
});

test('lists may be comma-separated, repeated, or both', () => {
  assert.deepEqual(collectList('c', collectList('a, b,')), ['a', 'b', 'c']);
});
