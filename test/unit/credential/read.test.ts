import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { configSchema } from '../../../src/config/schema.ts';
import { createCredentialReader, isPlainKey, MAX_KEY_BYTES } from '../../../src/credential/read.ts';
import type { CredentialRules, RawFields, ReadResult } from '../../../src/credential/read.ts';

const DEFAULTS: CredentialRules = configSchema.parse({}).keys;
const read = createCredentialReader(DEFAULTS);

const MISSING: ReadResult = { problem: 'missing_credential' };
const MALFORMED: ReadResult = { problem: 'malformed_credential' };
const CONFLICTING: ReadResult = { problem: 'conflicting_credentials' };

const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`;

interface Case {
  readonly sentence: string;
  readonly fields: RawFields;
  readonly expected: ReadResult;
  readonly rules?: Partial<CredentialRules>;
}

// oxfmt-ignore
const CASES: readonly Case[] = [
  { sentence: 'no fields hold no key', fields: [], expected: MISSING },
  { sentence: 'fields that are no carriers hold no key', fields: ['x-other', 'k'], expected: MISSING },
  { sentence: 'an empty carrier counts as not sent', fields: ['Authorization', '', 'X-API-Key', '  '], expected: MISSING },
  { sentence: 'an empty carrier beside a full one does no harm', fields: ['Authorization', '', 'X-API-Key', 'k1'], expected: { key: 'k1' } },
  { sentence: 'ApiKey is a scheme', fields: ['Authorization', 'ApiKey k1'], expected: { key: 'k1' } },
  { sentence: 'Bearer is a scheme', fields: ['authorization', 'Bearer k1'], expected: { key: 'k1' } },
  { sentence: 'StackState is a scheme', fields: ['authorization', 'StackState k1'], expected: { key: 'k1' } },
  { sentence: 'SUSEObservability is a scheme, in any case', fields: ['AUTHORIZATION', 'suseobservability k1'], expected: { key: 'k1' } },
  { sentence: 'a second Bearer is one that was there already', fields: ['authorization', 'Bearer Bearer k1'], expected: { key: 'k1' } },
  { sentence: 'a third is not', fields: ['authorization', 'Bearer Bearer Bearer k1'], expected: MALFORMED },
  { sentence: 'nor is one behind another scheme', fields: ['authorization', 'ApiKey Bearer k1'], expected: MALFORMED },
  { sentence: 'spaces between scheme and key are not part of the key', fields: ['authorization', ' Bearer   k1 '], expected: { key: 'k1' } },
  { sentence: 'a scheme that is not configured is malformed', fields: ['authorization', 'Digest k1'], expected: MALFORMED },
  { sentence: 'a scheme that was taken out of the configuration is malformed', fields: ['authorization', 'Bearer k1'], expected: MALFORMED, rules: { schemes: ['ApiKey'] } },
  { sentence: 'a scheme of one’s own can be configured', fields: ['authorization', 'acme k1'], expected: { key: 'k1' }, rules: { schemes: ['Acme'] } },
  { sentence: 'a scheme alone is malformed', fields: ['authorization', 'Bearer'], expected: MALFORMED },
  { sentence: 'a scheme and nothing after it is malformed', fields: ['authorization', 'Bearer '], expected: MALFORMED },
  { sentence: 'a tab is no separator', fields: ['authorization', 'Bearer\tk1'], expected: MALFORMED },
  { sentence: 'two keys after one scheme are malformed', fields: ['authorization', 'Bearer k1 k2'], expected: MALFORMED },
  { sentence: 'two fields that were joined by a comma are malformed', fields: ['authorization', 'Bearer k1, Bearer k2'], expected: MALFORMED },
  { sentence: 'a joined carrier is malformed', fields: ['x-api-key', 'k1, k1'], expected: MALFORMED },
  { sentence: 'a carrier with a scheme in it is malformed', fields: ['x-api-key', 'Bearer k1'], expected: MALFORMED },
  { sentence: 'a bare Authorization is malformed by default', fields: ['authorization', 'k1'], expected: MALFORMED },
  { sentence: 'a bare Authorization is a key where that is configured', fields: ['authorization', 'k1'], expected: { key: 'k1' }, rules: { bareAuthorization: true } },
  { sentence: 'a scheme alone is never taken for a bare key', fields: ['authorization', 'BEARER'], expected: MALFORMED, rules: { bareAuthorization: true } },
  { sentence: 'Basic alone is never taken for a bare key', fields: ['authorization', 'basic'], expected: MALFORMED, rules: { bareAuthorization: true } },
  { sentence: 'the password of the Basic user apikey is a key', fields: ['authorization', basic('apikey', 'k1')], expected: { key: 'k1' } },
  { sentence: 'the password of the Basic user groundcover is a key', fields: ['authorization', basic('groundcover', 'k1')], expected: { key: 'k1' } },
  { sentence: 'a Basic password may contain colons', fields: ['authorization', basic('apikey', 'k:1:2')], expected: { key: 'k:1:2' } },
  { sentence: 'another Basic user is malformed', fields: ['authorization', basic('admin', 'k1')], expected: MALFORMED },
  { sentence: 'a Basic user is compared exactly', fields: ['authorization', basic('APIKEY', 'k1')], expected: MALFORMED },
  { sentence: 'Basic without a colon is malformed', fields: ['authorization', `Basic ${btoa('apikey')}`], expected: MALFORMED },
  { sentence: 'Basic with an empty password is malformed', fields: ['authorization', basic('apikey', '')], expected: MALFORMED },
  { sentence: 'Basic with a newline in the password is malformed', fields: ['authorization', basic('apikey', 'k1\r\nx: y')], expected: MALFORMED },
  { sentence: 'Basic in something else than base64 is malformed', fields: ['authorization', 'Basic apikey:k1'], expected: MALFORMED },
  { sentence: 'Basic in URL-safe base64 is malformed', fields: ['authorization', 'Basic YXBpa2V5On5-fn4_Pz8'], expected: MALFORMED },
  { sentence: 'apikey is a carrier', fields: ['ApiKey', 'k1'], expected: { key: 'k1' } },
  { sentence: 'sts-api-key is a carrier', fields: ['STS-API-Key', 'k1'], expected: { key: 'k1' } },
  { sentence: 'a carrier with an underscore is another field', fields: ['x_api_key', 'k1'], expected: MISSING },
  { sentence: 'a carrier of one’s own can be configured', fields: ['X-Acme', 'k1'], expected: { key: 'k1' }, rules: { carriers: ['x-acme'] } },
  { sentence: 'the same key twice in one carrier is one key', fields: ['x-api-key', 'k1', 'X-API-KEY', 'k1'], expected: { key: 'k1' } },
  { sentence: 'the same key in different carriers is one key', fields: ['authorization', 'Bearer k1', 'x-api-key', 'k1', 'Authorization', basic('apikey', 'k1')], expected: { key: 'k1' } },
  { sentence: 'two keys in two Authorization fields conflict', fields: ['authorization', 'Bearer k1', 'authorization', 'Bearer k2'], expected: CONFLICTING },
  { sentence: 'two keys in two carriers conflict', fields: ['x-api-key', 'k1', 'apikey', 'k2'], expected: CONFLICTING },
  { sentence: 'keys differ if their case differs', fields: ['x-api-key', 'k1', 'apikey', 'K1'], expected: CONFLICTING },
  { sentence: 'a malformed field beside a good key is malformed, whatever the order', fields: ['x-api-key', 'k1', 'authorization', 'Digest x'], expected: MALFORMED },
  { sentence: 'a key may have 512 bytes', fields: ['x-api-key', 'k'.repeat(512)], expected: { key: 'k'.repeat(512) } },
  { sentence: 'a key may not have 513 bytes', fields: ['x-api-key', 'k'.repeat(513)], expected: MALFORMED },
  { sentence: 'a name without a value is passed over', fields: ['x-api-key'], expected: MISSING },
];

describe('a request’s credential', () => {
  for (const { sentence, fields, expected, rules } of CASES) {
    it(sentence, () => {
      const reader = rules === undefined ? read : createCredentialReader({ ...DEFAULTS, ...rules });
      assert.deepEqual(reader(fields), expected);
    });
  }
});

/** Visible ASCII but the comma. */
const KEY_CHARACTERS = Array.from({ length: 0x7e - 0x21 + 1 }, (_, i) => String.fromCharCode(0x21 + i)).filter(
  (c) => c !== ',',
);
const plainKeys = fc.string({ unit: fc.constantFrom(...KEY_CHARACTERS), minLength: 1, maxLength: MAX_KEY_BYTES });
const anyCase = (word: string): fc.Arbitrary<string> => fc.mixedCase(fc.constant(word));

/** Every way to send a key, each in every case of its names. */
function carrying(key: string): fc.Arbitrary<readonly [string, string]> {
  return fc.oneof(
    ...DEFAULTS.schemes.map((scheme) =>
      fc.tuple(
        anyCase('authorization'),
        anyCase(scheme).map((word) => `${word} ${key}`),
      ),
    ),
    ...DEFAULTS.basicUsers.map((user) =>
      fc.tuple(
        anyCase('authorization'),
        anyCase('Basic').map((word) => `${word} ${btoa(`${user}:${key}`)}`),
      ),
    ),
    ...DEFAULTS.carriers.map((name) => fc.tuple(anyCase(name), fc.constant(key))),
  );
}

const otherFields = fc.array(
  fc.tuple(fc.constantFrom('x-other', 'te', 'x_api_key', 'proxy-authorization'), fc.string()),
);

/** The key in some carriers, among other fields, in any order. */
function requestWith(...keys: string[]): fc.Arbitrary<RawFields> {
  const carriers = fc.tuple(...keys.map((key) => fc.array(carrying(key), { minLength: 1, maxLength: 4 })));
  return fc
    .tuple(carriers, otherFields)
    .map(([carried, others]) => [...carried.flat(), ...others])
    .chain((fields) => fc.shuffledSubarray(fields, { minLength: fields.length }))
    .map((fields) => fields.flat());
}

describe('whatever the fields,', () => {
  it('reading them never throws, and gives a plain key or a problem', () => {
    const names = fc.oneof(fc.string(), fc.constantFrom('authorization', ...DEFAULTS.carriers));
    const anything = fc.array(fc.oneof(names, fc.string({ unit: 'binary' })));
    const bare = createCredentialReader({ ...DEFAULTS, bareAuthorization: true });
    fc.assert(
      fc.property(anything, (fields) => {
        for (const reader of [read, bare]) {
          const result = reader(fields);
          assert.ok('problem' in result || isPlainKey(result.key));
        }
      }),
    );
  });

  it('the same key in any carriers, in any order and case, is that one key, exactly as sent', () => {
    const requests = plainKeys.chain((key) => fc.tuple(fc.constant(key), requestWith(key)));
    fc.assert(fc.property(requests, ([key, fields]) => assert.deepEqual(read(fields), { key })));
  });

  it('two different keys conflict, wherever they are', () => {
    const requests = fc
      .tuple(plainKeys, plainKeys)
      .filter(([one, other]) => one !== other)
      .chain(([one, other]) => requestWith(one, other));
    fc.assert(fc.property(requests, (fields) => assert.deepEqual(read(fields), CONFLICTING)));
  });

  it('a value with a comma, inner whitespace, a control or a character beyond ASCII in it is malformed', () => {
    const strange = fc.constantFrom(',', ' ', '\t', '\r', '\n', '\0', '\x7f', '\u00a0', 'é', 'ключ', '🔑');
    const values = fc.tuple(plainKeys, strange, plainKeys).map((parts) => parts.join(''));
    const requests = values.chain((value) =>
      fc.constantFrom(...DEFAULTS.carriers).map((name): RawFields => [name, value]),
    );
    fc.assert(fc.property(requests, (fields) => assert.deepEqual(read(fields), MALFORMED)));
  });

  it('a key of more than 512 bytes is malformed in every carrier', () => {
    const requests = fc
      .integer({ min: MAX_KEY_BYTES + 1, max: 4 * MAX_KEY_BYTES })
      .chain((length) => carrying('k'.repeat(length)));
    fc.assert(fc.property(requests, (field) => assert.deepEqual(read(field), MALFORMED)));
  });
});
