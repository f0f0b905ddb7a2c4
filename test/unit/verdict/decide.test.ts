import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { STORE_TIMEOUT, STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyAnswer } from '../../../src/keys/answer.ts';
import { KEY_KINDS, SIGNALS } from '../../../src/keys/record.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { decide } from '../../../src/verdict/decide.ts';
import type { Use } from '../../../src/verdict/decide.ts';
import { row } from '../../../src/verdict/reasons.ts';
import { newRecord } from '../../support/stores.ts';

const NOW = 1_700_000_000_000;
const TRACES: Use = { to: 'send', signal: 'traces' };
const MANAGE: Use = { to: 'manage' };

interface Case {
  readonly sentence: string;
  readonly key: Partial<KeyRecord>;
  readonly use?: Use;
  /** `allow`, or why not. */
  readonly expected: string;
}

// oxfmt-ignore
const CASES: readonly Case[] = [
  { sentence: 'an active ingestion key may send', key: {}, expected: 'allow' },
  { sentence: 'a receiver key may send', key: { kind: 'receiver' }, expected: 'allow' },
  { sentence: 'a service token may not send', key: { kind: 'service' }, expected: 'role_missing' },
  { sentence: 'a service token may manage', key: { kind: 'service' }, use: MANAGE, expected: 'allow' },
  { sentence: 'an ingestion key may not manage', key: {}, use: MANAGE, expected: 'role_missing' },
  { sentence: 'a receiver key may not manage', key: { kind: 'receiver' }, use: MANAGE, expected: 'role_missing' },
  { sentence: 'a revoked key may do nothing', key: { state: 'revoked' }, expected: 'revoked_key' },
  { sentence: 'a revoked service token may not manage', key: { kind: 'service', state: 'revoked' }, use: MANAGE, expected: 'revoked_key' },
  { sentence: 'a disabled key may do nothing', key: { state: 'disabled' }, expected: 'disabled_key' },
  { sentence: 'a key lives one millisecond before it expires', key: { expiresAt: NOW + 1 }, expected: 'allow' },
  { sentence: 'a key is dead at the millisecond it expires', key: { expiresAt: NOW }, expected: 'expired_key' },
  { sentence: 'a key is dead one millisecond after', key: { expiresAt: NOW - 1 }, expected: 'expired_key' },
  { sentence: 'a service token expires too', key: { kind: 'service', expiresAt: NOW }, use: MANAGE, expected: 'expired_key' },
  { sentence: 'a revoked key that has also expired is called revoked', key: { state: 'revoked', expiresAt: NOW - 1 }, expected: 'revoked_key' },
  { sentence: 'a key for traces may send traces', key: { signals: ['traces'] }, expected: 'allow' },
  { sentence: 'a key for logs may not send traces', key: { signals: ['logs'] }, expected: 'signal_not_allowed' },
  { sentence: 'a key for no signal may send none', key: { signals: [] }, expected: 'signal_not_allowed' },
  { sentence: 'a key for logs may send if it is not said what', key: { signals: ['logs'] }, use: { to: 'send' }, expected: 'allow' },
  { sentence: 'an expired key is not told what it might have sent', key: { signals: ['logs'], expiresAt: NOW }, expected: 'expired_key' },
];

describe('the verdict', () => {
  for (const { sentence, key, use = TRACES, expected } of CASES) {
    it(sentence, () => {
      const record = newRecord(key);
      assert.deepEqual(
        decide({ kind: 'known', record }, use, NOW),
        expected === 'allow' ? { verdict: 'allow', key: record } : { verdict: 'refuse', reason: expected, key: record },
      );
    });
  }

  it('on a key that is not known names no key', () => {
    assert.deepEqual(decide(UNKNOWN, TRACES, NOW), { verdict: 'refuse', reason: 'unknown_key' });
  });

  it('on a key that could not be looked up is the doubt itself', () => {
    assert.deepEqual(decide(STORE_UNAVAILABLE, TRACES, NOW), { verdict: 'refuse', reason: 'store_unavailable' });
    assert.deepEqual(decide(STORE_TIMEOUT, MANAGE, NOW), { verdict: 'refuse', reason: 'store_timeout' });
  });
});

const records: fc.Arbitrary<KeyRecord> = fc
  .record(
    {
      kind: fc.constantFrom(...KEY_KINDS),
      state: fc.constantFrom('active', 'disabled', 'revoked'),
      signals: fc.subarray([...SIGNALS]),
      expiresAt: fc.integer({ min: NOW - 2, max: NOW + 2 }),
    },
    { requiredKeys: ['kind', 'state'] },
  )
  .map((fields) => newRecord(fields));
const answers: fc.Arbitrary<KeyAnswer> = fc.oneof(
  fc.constantFrom(UNKNOWN, STORE_TIMEOUT, STORE_UNAVAILABLE),
  records.map((record): KeyAnswer => ({ kind: 'known', record })),
);
const uses: fc.Arbitrary<Use> = fc.constantFrom(
  MANAGE,
  { to: 'send' },
  ...SIGNALS.map((signal): Use => ({ to: 'send', signal })),
);

describe('whatever is known of a key,', () => {
  it('it is denied only on a positive answer, and doubted only without one', () => {
    fc.assert(
      fc.property(answers, uses, (answer, use) => {
        const decision = decide(answer, use, NOW);
        const verdict = decision.verdict === 'allow' ? 'allow' : row(decision.reason).verdict;
        if (answer.kind === 'unavailable') assert.equal(verdict, 'undecided');
        else assert.notEqual(verdict, 'undecided');
      }),
    );
  });

  it('it is let through only if it is active, alive and meant for this', () => {
    fc.assert(
      fc.property(records, uses, (record, use) => {
        const isMeant = (record.kind === 'service') === (use.to === 'manage');
        const isAlive = record.state === 'active' && (record.expiresAt ?? Infinity) > NOW;
        const mayCarry =
          use.to === 'manage' || use.signal === undefined || (record.signals?.includes(use.signal) ?? true);
        const { verdict } = decide({ kind: 'known', record }, use, NOW);
        assert.equal(verdict === 'allow', isMeant && isAlive && mayCarry);
      }),
    );
  });
});
