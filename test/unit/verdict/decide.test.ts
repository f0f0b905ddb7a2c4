import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { STORE_TIMEOUT, STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyAnswer } from '../../../src/keys/answer.ts';
import { KEY_KINDS, SIGNALS } from '../../../src/keys/record.ts';
import type { KeyKind, KeyRecord } from '../../../src/keys/record.ts';
import { KEY_TYPES } from '../../../src/keys/scope.ts';
import type { KeyType } from '../../../src/keys/scope.ts';
import { ALL_ROUTES, decide } from '../../../src/verdict/decide.ts';
import type { Route, Sending, Use } from '../../../src/verdict/decide.ts';
import { row } from '../../../src/verdict/reasons.ts';
import { asOwner, cidrs, newOwner, newRecord, origins } from '../../support/stores.ts';

const NOW = 1_700_000_000_000;
const TRACES: Sending = { to: 'send', signal: 'traces', route: 'otlp-grpc', peer: '192.0.2.1', origin: undefined };
const OVER_HTTP: Sending = { ...TRACES, route: 'otlp-http' };
const EVENTS: Sending = { ...TRACES, route: 'rum', signal: undefined };
const SETTINGS: Sending = { ...TRACES, route: 'remote-config', signal: undefined };
const SHOP = 'https://shop.example.com';
const MANAGE: Use = { to: 'manage' };
const ASK: Use = { to: 'ask' };

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
  { sentence: 'a key for logs may send if it is not said what', key: { signals: ['logs'] }, use: ASK, expected: 'allow' },
  { sentence: 'whoever asks about a service token hears that it may not send', key: { kind: 'service' }, use: ASK, expected: 'role_missing' },
  { sentence: 'whoever asks about an expired key hears it', key: { expiresAt: NOW }, use: ASK, expected: 'expired_key' },
  { sentence: 'a key for traces may not send events of pages, which are no traces', key: { signals: ['traces'] }, use: EVENTS, expected: 'signal_not_allowed' },
  { sentence: 'a key for traces may read settings, for which it sends nothing', key: { type: 'sensor', signals: ['traces'] }, use: SETTINGS, expected: 'allow' },
  { sentence: 'a receiver key may not read settings', key: { kind: 'receiver' }, use: SETTINGS, expected: 'route_not_allowed' },
  { sentence: 'a service token may not read settings', key: { kind: 'service', type: 'sensor' }, use: SETTINGS, expected: 'role_missing' },
  { sentence: 'settings are read from the networks of the key only', key: { type: 'sensor', cidrs: cidrs('10.0.0.0/8') }, use: SETTINGS, expected: 'address_not_allowed' },
  { sentence: 'a key without origins may be used from any page', key: { type: 'rum' }, use: { ...OVER_HTTP, origin: SHOP }, expected: 'allow' },
  { sentence: 'a key may be used from its origin', key: { origins: origins(SHOP) }, use: { ...OVER_HTTP, origin: SHOP }, expected: 'allow' },
  { sentence: 'a key may be used from any of its origins', key: { origins: origins('http://a', SHOP) }, use: { ...OVER_HTTP, origin: SHOP }, expected: 'allow' },
  { sentence: 'a key may not be used from another origin', key: { origins: origins(SHOP) }, use: { ...OVER_HTTP, origin: `${SHOP}.evil.example` }, expected: 'origin_not_allowed' },
  { sentence: 'an origin with another port is another one', key: { origins: origins(SHOP) }, use: { ...OVER_HTTP, origin: `${SHOP}:8443` }, expected: 'origin_not_allowed' },
  { sentence: 'two origins are none', key: { origins: origins(SHOP) }, use: { ...OVER_HTTP, origin: `${SHOP}, ${SHOP}` }, expected: 'origin_not_allowed' },
  { sentence: 'a page that hides its origin has none', key: { origins: origins(SHOP) }, use: { ...OVER_HTTP, origin: 'null' }, expected: 'origin_not_allowed' },
  { sentence: 'a key with origins may not be used without one', key: { origins: origins(SHOP) }, use: OVER_HTTP, expected: 'origin_not_allowed' },
  { sentence: 'a key for all origins may be used without one', key: { origins: origins('*') }, use: OVER_HTTP, expected: 'allow' },
  { sentence: 'a key for all origins may be used from a page that hides its own', key: { origins: origins('*') }, use: { ...OVER_HTTP, origin: 'null' }, expected: 'allow' },
  { sentence: 'a key may be used from its network', key: { cidrs: cidrs('192.0.2.0/24') }, expected: 'allow' },
  { sentence: 'a key may be used from any of its networks', key: { cidrs: cidrs('10.0.0.0/8', '192.0.2.1') }, expected: 'allow' },
  { sentence: 'a key may not be used from another network', key: { cidrs: cidrs('192.0.2.128/25') }, expected: 'address_not_allowed' },
  { sentence: 'a key with networks may not be used by nobody knows whom', key: { cidrs: cidrs('0.0.0.0/0') }, use: { ...TRACES, peer: '' }, expected: 'address_not_allowed' },
  { sentence: 'an IPv4 peer on a socket for both families is an IPv4 peer', key: { cidrs: cidrs('192.0.2.0/24') }, use: { ...TRACES, peer: '::ffff:192.0.2.1' }, expected: 'allow' },
  { sentence: 'an IPv4 peer on a socket for both families is in no IPv6 network', key: { cidrs: cidrs('::/0') }, use: { ...TRACES, peer: '::ffff:192.0.2.1' }, expected: 'address_not_allowed' },
  { sentence: 'a key may be used from its IPv6 network', key: { cidrs: cidrs('2001:db8::/33') }, use: { ...TRACES, peer: '2001:db8:7fff::1' }, expected: 'allow' },
  { sentence: 'a key may not be used from the other half of it', key: { cidrs: cidrs('2001:db8::/33') }, use: { ...TRACES, peer: '2001:db8:8000::1' }, expected: 'address_not_allowed' },
  { sentence: 'a link-local peer is known by its address, not its interface', key: { cidrs: cidrs('fe80::/10') }, use: { ...TRACES, peer: 'fe80::1%eth0' }, expected: 'allow' },
  { sentence: 'the route is looked at before the origin', key: { type: 'rum', origins: origins(SHOP) }, expected: 'route_not_allowed' },
  { sentence: 'the origin is looked at before the address', key: { origins: origins(SHOP), cidrs: cidrs('10.0.0.0/8') }, expected: 'origin_not_allowed' },
  { sentence: 'the address is looked at before the signal', key: { cidrs: cidrs('10.0.0.0/8'), signals: ['logs'] }, expected: 'address_not_allowed' },
  { sentence: 'a service token is told that it may not send, whatever else it lacks', key: { kind: 'service', type: 'rum' }, expected: 'role_missing' },
  { sentence: 'a canary may not send', key: { kind: 'canary' }, expected: 'role_missing' },
  { sentence: 'a canary may not manage', key: { kind: 'canary' }, use: MANAGE, expected: 'role_missing' },
  { sentence: 'a canary may be asked about', key: { kind: 'canary' }, use: ASK, expected: 'allow' },
  { sentence: 'a key of pages is taken where pages have business', key: { type: 'rum' }, use: { ...TRACES, route: 'otlp-http', isNotForPages: false }, expected: 'allow' },
  { sentence: 'a key of pages is not taken where pages have none', key: { type: 'rum' }, use: { ...TRACES, route: 'otlp-http', isNotForPages: true }, expected: 'route_not_allowed' },
  { sentence: 'any other key is', key: { type: 'thirdParty' }, use: { ...TRACES, route: 'otlp-http', isNotForPages: true }, expected: 'allow' },
  { sentence: 'an expired key is not told what it might have sent', key: { signals: ['logs'], expiresAt: NOW }, expected: 'expired_key' },
];

/** What each type of key is good for. */
// oxfmt-ignore
const ALLOWED_ROUTES: Readonly<Record<KeyType | 'none', readonly Route[]>> = {
  none: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'rum', 'agent', 'token', 'grpc'],
  sensor: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'remote-config', 'agent', 'token'],
  thirdParty: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'agent', 'token'],
  rum: ['otlp-http', 'rum'],
};

describe('a key of the type', () => {
  for (const type of [...KEY_TYPES, undefined]) {
    const allowed = ALLOWED_ROUTES[type ?? 'none'];
    it(`${type ?? 'none'} may be used on ${allowed.join(', ')}, and on no other route`, () => {
      const record = newRecord({ type });
      const mayUse = (route: Route): boolean =>
        decide({ kind: 'known', record }, { ...TRACES, route }, NOW).verdict === 'allow';
      assert.deepEqual(ALL_ROUTES.filter(mayUse), allowed);
    });
  }
});
const OWNER = newOwner();
const ownerIs = (fields: Partial<KeyRecord>): KeyAnswer => ({ kind: 'known', record: { ...OWNER, ...fields } });

interface OwnedCase {
  readonly sentence: string;
  readonly key?: Partial<KeyRecord>;
  readonly owner: KeyAnswer | undefined;
  readonly use?: Use;
  readonly expected: string;
}

// oxfmt-ignore
const OWNED: readonly OwnedCase[] = [
  { sentence: 'a key of an owner that is a sender may send', owner: ownerIs({}), expected: 'allow' },
  { sentence: 'a key of a locked owner may not send', owner: ownerIs({ state: 'disabled' }), expected: 'owner_locked' },
  { sentence: 'a key of a deleted owner may not send', owner: ownerIs({ state: 'revoked' }), expected: 'owner_locked' },
  { sentence: 'a key of an owner that was forgotten may not send', owner: UNKNOWN, expected: 'owner_locked' },
  { sentence: 'a key of an owner that is no sender may not send', owner: ownerIs({ roles: [] }), expected: 'role_missing' },
  { sentence: 'a key of an owner without roles may not send', owner: { kind: 'known', record: newRecord() }, expected: 'role_missing' },
  { sentence: 'whoever asks hears of the owner too', owner: ownerIs({ state: 'disabled' }), use: ASK, expected: 'owner_locked' },
  { sentence: 'an owner that cannot be looked up is a doubt', owner: STORE_UNAVAILABLE, expected: 'store_unavailable' },
  { sentence: 'an owner that does not come in time is a doubt', owner: STORE_TIMEOUT, expected: 'store_timeout' },
  { sentence: 'an owner that nobody looked up is a doubt', owner: undefined, expected: 'store_unavailable' },
  { sentence: 'a revoked key is no doubt, whatever its owner is', key: { state: 'revoked' }, owner: STORE_UNAVAILABLE, expected: 'revoked_key' },
  { sentence: 'an expired key is no doubt, whatever its owner is', key: { expiresAt: NOW }, owner: STORE_TIMEOUT, expected: 'expired_key' },
  { sentence: 'a token needs no role of its owner', key: { kind: 'service' }, owner: ownerIs({ roles: [] }), use: MANAGE, expected: 'allow' },
  { sentence: 'a token of a locked owner opens nothing', key: { kind: 'service' }, owner: ownerIs({ state: 'disabled' }), use: MANAGE, expected: 'owner_locked' },
  { sentence: 'a token of a deleted owner opens nothing', key: { kind: 'service' }, owner: UNKNOWN, use: MANAGE, expected: 'owner_locked' },
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

  for (const { sentence, key = {}, owner, use = TRACES, expected } of OWNED) {
    it(sentence, () => {
      const record = newRecord({ owner: asOwner(OWNER), ...key });
      assert.deepEqual(
        decide({ kind: 'known', record, ...(owner !== undefined && { owner }) }, use, NOW),
        expected === 'allow' ? { verdict: 'allow', key: record } : { verdict: 'refuse', reason: expected, key: record },
      );
    });
  }

  it('on the record of an owner is that it is no credential, for whatever use', () => {
    for (const use of [TRACES, ASK, MANAGE]) {
      const decision = decide({ kind: 'known', record: OWNER }, use, NOW);
      assert.deepEqual(decision, { verdict: 'refuse', reason: 'role_missing', key: OWNER });
    }
  });

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
      type: fc.constantFrom(...KEY_TYPES),
      origins: fc.constantFrom(origins(SHOP), origins('*')),
      cidrs: fc.constantFrom(cidrs('192.0.2.0/24'), cidrs('10.0.0.0/8')),
      expiresAt: fc.integer({ min: NOW - 2, max: NOW + 2 }),
      owner: fc.constant(asOwner(OWNER)),
    },
    { requiredKeys: ['kind', 'state'] },
  )
  .map((fields) => newRecord(fields));
const owners: fc.Arbitrary<KeyAnswer> = fc.oneof(
  fc.constantFrom(UNKNOWN, STORE_TIMEOUT, STORE_UNAVAILABLE),
  fc
    .record({ state: fc.constantFrom('active', 'disabled', 'revoked'), roles: fc.subarray(['Sender']) })
    .map((fields): KeyAnswer => ownerIs(fields)),
);
const answers: fc.Arbitrary<KeyAnswer> = fc.oneof(
  fc.constantFrom(UNKNOWN, STORE_TIMEOUT, STORE_UNAVAILABLE),
  fc.record({ kind: fc.constant('known'), record: records, owner: owners }),
);
const sendings: fc.Arbitrary<Sending> = fc.record({
  to: fc.constant('send'),
  signal: fc.constantFrom(...SIGNALS, undefined),
  route: fc.constantFrom(...ALL_ROUTES),
  peer: fc.constantFrom('192.0.2.7', '10.0.0.7', '::1'),
  origin: fc.constantFrom(undefined, SHOP, 'https://elsewhere.example'),
});
const uses: fc.Arbitrary<Use> = fc.oneof(fc.constantFrom(MANAGE, ASK), sendings);

/** Each limit for itself, as a person would say it. */
function isWithinScope(key: KeyRecord, { signal, route, peer, origin }: Sending): boolean {
  const network = peer.slice(0, peer.indexOf('.'));
  return (
    (key.signals === undefined ||
      ['remote-config', 'token'].includes(route) ||
      key.signals.some((each) => each === signal)) &&
    ALLOWED_ROUTES[key.type ?? 'none'].includes(route) &&
    (key.cidrs?.some((cidr) => cidr.startsWith(`${network}.`)) ?? true) &&
    (key.origins?.some((each) => each === '*' || each === origin) ?? true)
  );
}

describe('whatever is known of a key,', () => {
  it('it is denied only on a positive answer, and doubted only without one', () => {
    fc.assert(
      fc.property(answers, uses, (answer, use) => {
        const decision = decide(answer, use, NOW);
        const verdict = decision.verdict === 'allow' ? 'allow' : row(decision.reason).verdict;
        if (answer.kind === 'unavailable') assert.equal(verdict, 'undecided');
        else if (verdict === 'undecided') {
          const isOwned = answer.kind === 'known' && answer.record.owner !== undefined;
          assert.ok(isOwned && answer.owner?.kind === 'unavailable');
        }
      }),
    );
  });

  it('it is let through only if it is active, alive and meant for this', () => {
    fc.assert(
      fc.property(records, owners, uses, (record, owner, use) => {
        const isToken = record.kind === 'service';
        const mayBeMeant: readonly KeyKind[] =
          use.to === 'ask' ? ['ingestion', 'receiver', 'canary'] : ['ingestion', 'receiver'];
        const isMeant = use.to === 'manage' ? isToken : mayBeMeant.includes(record.kind);
        const isAlive = record.state === 'active' && (record.expiresAt ?? Infinity) > NOW;
        const mayCarry = use.to !== 'send' || isWithinScope(record, use);
        const ownersRoles = owner.kind === 'known' && owner.record.state === 'active' ? owner.record.roles : undefined;
        const isBacked =
          record.owner === undefined || (ownersRoles !== undefined && (isToken || ownersRoles.length > 0));
        const { verdict } = decide({ kind: 'known', record, owner }, use, NOW);
        assert.equal(verdict === 'allow', isMeant && isAlive && isBacked && mayCarry);
      }),
    );
  });
});
