import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { createDigester } from '../../src/credential/digest.ts';
import type { Digests } from '../../src/credential/digest.ts';
import { createKeyText } from '../../src/credential/key-text.ts';
import { createCredentialReader } from '../../src/credential/read.ts';
import type { TokenReading } from '../../src/credential/token.ts';
import { createGate } from '../../src/gate.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../../src/keys/answer.ts';
import type { KeyAnswer } from '../../src/keys/answer.ts';
import { digestOf, newRecord } from '../support/stores.ts';

const NOW = 1_700_000_000_000;
const TRACES = { to: 'send', signal: 'traces', route: 'otlp-grpc', peer: '192.0.2.1', origin: undefined } as const;
const KEY = createKeyText('ingestion');
const FIELDS = ['Authorization', `ApiKey ${KEY}`];
const FINGERPRINT = digestOf(KEY).slice('sha256:'.length, 'sha256:'.length + 12);
const record = newRecord({ digest: digestOf(KEY), expiresAt: NOW + 1_000 });

/** A gate before these keys, that notes what it looks up and charges; `spent` keys have nothing left. */
function createGateBefore(answer: KeyAnswer | Promise<KeyAnswer>, spent = false) {
  const lookups: Digests[] = [];
  const askedFor: (string | undefined)[] = [];
  const charged: string[] = [];
  let nowMs = NOW;
  const gate = createGate({
    readCredential: createCredentialReader(configSchema.parse({}).keys),
    digest: createDigester({}),
    lookup: (digests, from) => {
      lookups.push(digests);
      askedFor.push(from);
      return answer;
    },
    charge: (allowed) => {
      charged.push(allowed.key.id);
      return spent ? { verdict: 'refuse', reason: 'rate_limited', key: allowed.key, retryAfterMs: 7 } : allowed;
    },
    now: () => nowMs,
  });
  return { gate, lookups, askedFor, charged, advance: (ms: number) => void (nowMs += ms) };
}

const known: KeyAnswer = { kind: 'known', record };

describe('the gate, of tokens,', () => {
  const TOKEN = ['authorization', 'Bearer a-token'];
  const endsAtMs = NOW + 500;
  function createGateWith(read: TokenReading | undefined) {
    const lookups: Digests[] = [];
    let nowMs = NOW;
    const gate = createGate({
      readCredential: createCredentialReader(configSchema.parse({}).keys),
      digest: createDigester({}),
      lookup: (digests) => {
        lookups.push(digests);
        return known;
      },
      readToken: () => read,
      now: () => nowMs,
    });
    return { gate, lookups, advance: (ms: number) => void (nowMs += ms) };
  }

  it('looks up what a token stands for, and judges that, for as long as the token lasts', () => {
    const { gate, lookups, advance } = createGateWith({ digest: digestOf(KEY), endsAtMs });
    const credential = gate.read(TOKEN);
    assert.deepEqual(credential, {
      digests: { digest: digestOf(KEY), alternates: [] },
      fingerprint: FINGERPRINT,
      endsAtMs,
    });
    const allowed = { decision: { verdict: 'allow', key: record }, fingerprint: FINGERPRINT };
    assert.deepEqual(gate.judgeCredential(credential, TRACES), allowed);
    advance(499);
    assert.deepEqual(gate.judgeCredential(credential, TRACES), allowed);
    advance(1);
    const expired = { decision: { verdict: 'refuse', reason: 'expired_token' }, fingerprint: FINGERPRINT };
    assert.deepEqual(gate.judgeCredential(credential, TRACES), expired);
    assert.equal(lookups.length, 2);
  });

  it('refuses what is no good one without a lookup, and takes what is none for a key', () => {
    for (const problem of ['bad_checksum', 'unknown_signer'] as const) {
      const { gate, lookups } = createGateWith({ problem });
      assert.deepEqual(gate.judge(TOKEN, TRACES), { decision: { verdict: 'refuse', reason: problem } });
      assert.equal(lookups.length, 0);
    }
    const { gate, lookups } = createGateWith(undefined);
    void gate.judge(TOKEN, TRACES);
    assert.deepEqual(lookups, [{ digest: digestOf('a-token'), alternates: [] }]);
  });
});

describe('the gate', () => {
  it('lets a known key through at once when its record is in memory, without a promise', () => {
    const { gate, lookups } = createGateBefore(known);
    assert.deepEqual(gate.judge(FIELDS, TRACES), {
      decision: { verdict: 'allow', key: record },
      fingerprint: FINGERPRINT,
    });
    assert.deepEqual(lookups, [{ digest: digestOf(KEY), alternates: [] }]);
  });

  it('gives the same judgement later when the record has to be fetched', async () => {
    const { gate } = createGateBefore(Promise.resolve(known));
    const judgement = gate.judge(FIELDS, TRACES);
    assert.ok(judgement instanceof Promise);
    assert.deepEqual(await judgement, { decision: { verdict: 'allow', key: record }, fingerprint: FINGERPRINT });
  });

  it('judges by the time at which the answer came, not by that of the question', async () => {
    const { promise, resolve } = Promise.withResolvers<KeyAnswer>();
    const { gate, advance } = createGateBefore(promise);
    const judgement = gate.judge(FIELDS, TRACES);
    advance(1_000);
    resolve(known);
    assert.deepEqual((await judgement).decision, { verdict: 'refuse', reason: 'expired_key', key: record });
  });

  it('says the fingerprint of an unknown key, so that operators can tell its senders apart', () => {
    const { gate } = createGateBefore(UNKNOWN);
    assert.deepEqual(gate.judge(FIELDS, TRACES), {
      decision: { verdict: 'refuse', reason: 'unknown_key' },
      fingerprint: FINGERPRINT,
    });
  });

  it('says "cannot tell" when the store could not answer', () => {
    const { gate } = createGateBefore(STORE_UNAVAILABLE);
    assert.deepEqual(gate.judge(FIELDS, TRACES), {
      decision: { verdict: 'refuse', reason: 'store_unavailable' },
      fingerprint: FINGERPRINT,
    });
  });

  it('looks nothing up for a request that a look at it refutes', () => {
    const { gate, lookups } = createGateBefore(known);
    const refused = {
      missing_credential: [],
      malformed_credential: ['Authorization', `ApiKey ${KEY}, ApiKey ${KEY}`],
      conflicting_credentials: [...FIELDS, 'X-API-Key', createKeyText('ingestion')],
      bad_checksum: ['X-API-Key', `${KEY}0`],
    };
    for (const [reason, fields] of Object.entries(refused)) {
      assert.deepEqual(gate.judge(fields, TRACES), { decision: { verdict: 'refuse', reason } });
    }
    assert.deepEqual(lookups, []);
  });

  it('looks a key without our prefix up as it is', () => {
    const { gate, lookups } = createGateBefore(known);
    assert.deepEqual(gate.judge(['X-API-Key', 'legacy'], TRACES), {
      decision: { verdict: 'allow', key: record },
      fingerprint: digestOf('legacy').slice(7, 19),
    });
    assert.deepEqual(lookups, [{ digest: digestOf('legacy'), alternates: [] }]);
  });

  it('says for whom a key is looked up where that may be anybody, so that guesses are bounded by it', () => {
    const { gate, askedFor } = createGateBefore(known);
    void gate.judge(FIELDS, TRACES);
    void gate.judge(FIELDS, { to: 'ask', peer: '192.0.2.7' });
    void gate.judge(FIELDS, { to: 'ask' });
    void gate.judge(FIELDS, { to: 'manage' });
    assert.deepEqual(askedFor, ['192.0.2.1', '192.0.2.7', undefined, undefined]);
  });

  it('charges a key for each request that it lets through, and for nothing else', async () => {
    const { gate, charged, advance } = createGateBefore(known);
    await gate.judge(FIELDS, TRACES);
    await gate.judge(FIELDS, { to: 'ask' });
    await gate.judge(FIELDS, { to: 'manage' });
    advance(1_000);
    await gate.judge(FIELDS, TRACES);
    const later = createGateBefore(Promise.resolve(known));
    await later.gate.judge(FIELDS, TRACES);
    assert.deepEqual([charged, later.charged], [[record.id], [record.id]]);
  });

  it('refuses a key that has used up what it may send, and says when to come back', () => {
    const { gate } = createGateBefore(known, true);
    assert.deepEqual(gate.judge(FIELDS, TRACES), {
      decision: { verdict: 'refuse', reason: 'rate_limited', key: record, retryAfterMs: 7 },
      fingerprint: FINGERPRINT,
    });
  });

  it('judges a request that is still there by the same rules, and charges nothing for it', () => {
    const { gate, charged, advance } = createGateBefore(known, true);
    const credential = gate.read(FIELDS);
    assert.deepEqual(gate.judgeAgain(credential, TRACES), {
      decision: { verdict: 'allow', key: record },
      fingerprint: FINGERPRINT,
    });
    advance(1_000);
    assert.deepEqual(gate.judgeAgain(credential, TRACES), {
      decision: { verdict: 'refuse', reason: 'expired_key', key: record },
      fingerprint: FINGERPRINT,
    });
    assert.deepEqual(charged, []);
  });

  it('judges a key that came in no header field by the same rules', () => {
    const { gate } = createGateBefore(known);
    assert.deepEqual(gate.judgeKey(KEY, TRACES), gate.judge(FIELDS, TRACES));
    assert.deepEqual(gate.judgeKey(`${KEY}0`, TRACES), { decision: { verdict: 'refuse', reason: 'bad_checksum' } });
  });
});
