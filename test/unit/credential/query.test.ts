import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { takeKeysFromQuery } from '../../../src/credential/query.ts';
import type { DividedQuery } from '../../../src/credential/query.ts';

// oxfmt-ignore
const CASES: readonly (readonly [sentence: string, query: string, expected: DividedQuery])[] = [
  ['nothing holds nothing', '', { keys: [], rest: '' }],
  ['other parameters pass as they are', 'a=1&b=%20x+y&c&=d', { keys: [], rest: 'a=1&b=%20x+y&c&=d' }],
  ['api_key is a key', 'api_key=k1', { keys: ['k1'], rest: '' }],
  ['what stands around it stays in its order', 'a=1&api_key=k1&b=2', { keys: ['k1'], rest: 'a=1&b=2' }],
  ['at the beginning, too', 'api_key=k1&a=1', { keys: ['k1'], rest: 'a=1' }],
  ['an empty one is none', 'api_key=&a=1', { keys: [], rest: 'a=1' }],
  ['one without a value is none', 'api_key', { keys: [], rest: '' }],
  ['each one that is repeated is a key', 'api_key=k1&api_key=k2&api_key=k1', { keys: ['k1', 'k2', 'k1'], rest: '' }],
  ['its value is decoded', 'api_key=a%2Db%3d', { keys: ['a-b='], rest: '' }],
  ['a plus is a space', 'api_key=a+b', { keys: ['a b'], rest: '' }],
  ['its name may be encoded', 'api%5Fkey=k1&%61pi_key=k2&%61%70%69%5f%6b%65%79=k3', { keys: ['k1', 'k2', 'k3'], rest: '' }],
  ['what is no UTF-8 is no plain key', 'api_key=%ff', { keys: ['\ufffd'], rest: '' }],
  ['an escape that is none stays', 'api_key=%zz', { keys: ['%zz'], rest: '' }],
  ['a semicolon ends a parameter as well', 'a=1;api_key=k1;b=2', { keys: ['k1'], rest: 'a=1;b=2' }],
  ['a name that is encoded twice is no key, and stays here', 'api%255Fkey=k1', { keys: [], rest: '' }],
  ['so does one that somebody takes for the same', 'API_KEY=k1&api-key=k2&apikey=k3&Api.Key=k4&sts-api-key=k5', { keys: [], rest: '' }],
  ['with brackets', 'api_key[]=k1&api_key%5B0%5D=k2&q[api_key]=k3', { keys: [], rest: '' }],
  ['with something before it', ' api_key=k1&%20api_key=k2&?api_key=k3&%00api_key=k4', { keys: [], rest: '' }],
  ['behind an entity', 'a=1&amp;api_key=k1', { keys: ['k1'], rest: 'a=1&amp' }],
  ['an address with a key in it stays here', 'next=/intake%3Fapi_key%3Dk1', { keys: [], rest: '' }],
  ['one of our keys stays here under any name', 'q=iapikeyok-abc&r=1', { keys: [], rest: 'r=1' }],
  ['what was encoded more often than anybody decodes stays here', `x=${'%25'.repeat(1)}2525252541`, { keys: [], rest: '' }],
  ['nor does an escape before it hide it', '%aapi_key=k1', { keys: [], rest: '' }],
  ['a fragment is part of a parameter', 'a=1#api_key=k1', { keys: [], rest: '' }],
];

describe('the keys of a query', () => {
  for (const [sentence, query, expected] of CASES) {
    it(sentence, () => {
      assert.deepEqual(takeKeysFromQuery(query), expected);
    });
  }

  it('leave nothing that any number of decodings makes a parameter api_key, whatever the query', () => {
    const bits = fc.constantFrom(
      'api_key',
      'api',
      '_',
      'key',
      '=',
      '&',
      ';',
      '%5F',
      '%255f',
      '%25',
      '%',
      '+',
      'K',
      '[]',
      'a',
    );
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 24 }), (parts) => {
        let rest = takeKeysFromQuery(parts.join('')).rest;
        for (let i = 0; i < 8; i++) {
          assert.doesNotMatch(rest, /api_key/i);
          try {
            rest = decodeURIComponent(rest);
          } catch {
            return;
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('and parameters that say nothing of keys come through as they were', () => {
    const name = fc.stringMatching(/^[b-h%0-9_.-]{0,8}$/).filter((text) => !text.includes('%'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 6 }), (pairs) => {
        const query = pairs.map(([key, value]) => `${key}=${value}`).join('&');
        assert.deepEqual(takeKeysFromQuery(query), { keys: [], rest: query });
      }),
    );
  });
});
