import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import type { ShedCause } from '../../../src/cache/observer.ts';
import { createDigester } from '../../../src/credential/digest.ts';
import { KEY_PREFIXES } from '../../../src/credential/key-text.ts';
import { createGate } from '../../../src/gate.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import type { Use } from '../../../src/verdict/decide.ts';
import { newRecord } from '../../support/stores.ts';

const FLOOD = 100_000;
const MINUTE = 60_000;
const RATE = 1_000;
const MAX_KEYS = 1_000;

/** A gate and its cache before a store that answers at once and counts; on a clock that the test sets. */
function setUp() {
  let nowMs = 0;
  let lookups = 0;
  const shed: Record<ShedCause, number> = { lookups: 0, unknown: 0, breaker: 0 };
  const records = new Map<string, KeyRecord>();
  const digest = createDigester({});
  const cache = createKeyCache({
    find: async ([first = '']) => {
      lookups++;
      return records.get(first);
    },
    now: () => nowMs,
    maxKeys: MAX_KEYS,
    maxUnknown: 1_000,
    freshForMs: 2 * MINUTE,
    staleForMs: 60 * MINUTE,
    unknownForMs: 5_000,
    maxLookups: 1_000,
    maxUnknownLookups: RATE,
    lookupTimeoutMs: 120,
    observe: {
      hit: () => undefined,
      miss: () => undefined,
      shed: (cause) => void shed[cause]++,
      breaker: () => undefined,
      storeRead: () => undefined,
      evicted: (pool) => assert.notEqual(pool, 'known'),
    },
  });
  const gate = createGate({
    readCredential: () => ({ problem: 'missing_credential' }),
    digest,
    lookup: cache.lookup,
    now: () => 0,
  });

  async function send(key: string, peer: string): Promise<string> {
    const use: Use = { to: 'send', signal: 'traces', route: 'otlp-grpc', peer, origin: undefined };
    const { decision } = await gate.judgeKey(key, use);
    return decision.verdict === 'allow' ? 'allow' : decision.reason;
  }
  function createKey(): string {
    const key = randomBytes(24).toString('hex');
    const record = newRecord({ digest: digest(key).digest });
    records.set(record.digest, record);
    return key;
  }
  /** Sends so many keys that nobody made, 100,000 in a minute, and says how each was answered. */
  async function flood(count: number, nextPeer: (index: number) => string, alongside = async () => {}, prefix = '') {
    const answers: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const answer = await send(`${prefix}${String(i).padStart(38, 'x')}`, nextPeer(i));
      answers[answer] = (answers[answer] ?? 0) + 1;
      nowMs = (i / FLOOD) * MINUTE;
      if (i % (count / 10) === count / 20) await alongside();
    }
    return answers;
  }
  return { cache, records, send, createKey, flood, shed, lookups: () => lookups, digest };
}

const oneAttacker = () => '192.0.2.66';
const manyAttackers = (index: number) => `10.0.${index % 80}.${index % 251}`;

describe('100,000 random keys in a minute', { timeout: 60_000 }, () => {
  it('cause no lookup when they have our prefix: their checksums are wrong', async () => {
    const { flood, lookups } = setUp();
    const answers = await flood(FLOOD, oneAttacker, undefined, KEY_PREFIXES.ingestion);
    assert.deepEqual(answers, { bad_checksum: FLOOD });
    assert.equal(lookups(), 0);
  });

  for (const [who, count, nextPeer, bound] of [
    ['one address', FLOOD, oneAttacker, RATE / 2 + (RATE / 4) * 60],
    ['20,000 addresses', FLOOD / 5, manyAttackers, RATE * 13],
  ] as const) {
    it(`from ${who} cause a bounded number of lookups, push out no good key, and keep no good key out`, async () => {
      const { cache, flood, send, createKey, lookups, shed } = setUp();
      const good = Array.from({ length: MAX_KEYS - 100 }, createKey);
      for (const key of good) assert.equal(await send(key, '198.51.100.1'), 'allow');
      const before = lookups();
      let firstSeen = 0;

      const answers = await flood(count, nextPeer, async () => {
        // Keys that nobody has sent before, one after the other, from an address that has not failed.
        for (let i = 0; i < 5; i++, firstSeen++) assert.equal(await send(createKey(), '198.51.100.2'), 'allow');
      });

      const wasted = lookups() - before - firstSeen;
      assert.ok(wasted > 1_000 && wasted <= bound, `${wasted} lookups`);
      assert.deepEqual(answers, { unknown_key: wasted, store_unavailable: count - wasted });
      assert.equal(shed.unknown, count - wasted);
      for (const key of good) assert.equal(await send(key, oneAttacker()), 'allow');
      assert.equal(lookups(), before + firstSeen + wasted, 'the good keys were answered from memory');
      assert.equal(cache.sizes().known, good.length + firstSeen);
    });
  }

  it('do not keep out a key that was just created, though it comes from the same address', async () => {
    const { cache, createKey, send, flood, digest } = setUp();
    let created = 0;
    await flood(FLOOD / 10, oneAttacker, async () => {
      const key = createKey();
      cache.changed(digest(key).digest); // as the feed tells it
      assert.equal(await send(key, oneAttacker()), 'allow');
      created++;
    });
    assert.equal(created, 10);
  });
});

it('1,000 concurrent first requests of one key cause one lookup', async () => {
  const { send, createKey, lookups } = setUp();
  const key = createKey();
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => send(key, `192.0.2.${i % 250}`)));
  assert.deepEqual([...new Set(answers)], ['allow']);
  assert.equal(lookups(), 1);
});
