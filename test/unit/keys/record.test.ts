import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diedAt, endsAt, isLive, stateOf } from '../../../src/keys/record.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { newRecord } from '../../support/stores.ts';

const replaced = { replacedBy: '1', retireAt: 5 };
const rows: [string, Partial<KeyRecord>, { state: string; live: boolean; ends?: number; died?: number }][] = [
  ['a plain key', {}, { state: 'active', live: true }],
  ['a disabled key', { state: 'disabled' }, { state: 'disabled', live: true }],
  ['a key before its expiry', { expiresAt: 11 }, { state: 'active', live: true, ends: 11, died: 11 }],
  ['a key at its expiry', { expiresAt: 10 }, { state: 'expired', live: false, ends: 10, died: 10 }],
  ['a key in its grace', { ...replaced, retireAt: 11 }, { state: 'retiring', live: true, ends: 11, died: 11 }],
  [
    'a key at the end of its grace',
    { ...replaced, retireAt: 10 },
    { state: 'retired', live: false, ends: 10, died: 10 },
  ],
  [
    'a grace that outlasts the expiry',
    { ...replaced, retireAt: 12, expiresAt: 10 },
    { state: 'expired', live: false, ends: 10, died: 10 },
  ],
  [
    'a disabled key in its grace',
    { ...replaced, retireAt: 11, state: 'disabled' },
    { state: 'disabled', live: true, ends: 11, died: 11 },
  ],
  [
    'a disabled key past its grace',
    { ...replaced, state: 'disabled' },
    { state: 'retired', live: false, ends: 5, died: 5 },
  ],
  [
    'a revoked key',
    { state: 'revoked', revokedAt: 7, expiresAt: 20 },
    { state: 'revoked', live: false, ends: 20, died: 7 },
  ],
  [
    'a key that expired before it was revoked',
    { state: 'revoked', revokedAt: 7, expiresAt: 6 },
    { state: 'revoked', live: false, ends: 6, died: 6 },
  ],
];

for (const [what, fields, { state, live, ends, died }] of rows) {
  test(`${what} is ${state} and ${live ? 'live' : 'dead'}`, () => {
    const record = newRecord(fields);
    assert.deepEqual(
      [stateOf(record, 10), isLive(record, 10), endsAt(record), diedAt(record)],
      [state, live, ends, died],
    );
  });
}
