import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createDigester, isKeyDigest } from '../../../src/credential/digest.ts';

/** FIPS 180-2, appendix B.1. */
const SHA256_OF_ABC = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
/** RFC 4231, test case 2. */
const JEFE = { id: 'jefe', secret: 'Jefe' };
const HMAC_TEXT = 'what do ya want for nothing?';
const HMAC_BY_JEFE = 'hmac-jefe:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';

describe('the digest of a key', () => {
  it('is SHA-256 without a pepper', () => {
    assert.deepEqual(createDigester({})('abc'), { digest: SHA256_OF_ABC, alternates: [] });
  });

  it('is HMAC-SHA-256 with a pepper, and the one without a pepper is still looked for', () => {
    const { digest, alternates } = createDigester({ pepper: JEFE })(HMAC_TEXT);
    assert.equal(digest, HMAC_BY_JEFE);
    assert.deepEqual(alternates, [createDigester({})(HMAC_TEXT).digest]);
  });

  it('is looked for under each former pepper, the newest first', () => {
    const digester = createDigester({
      pepper: { id: 'new', secret: 'x' },
      previousPeppers: [JEFE, { id: 'old', secret: 'y' }],
    });
    const { digest, alternates } = digester(HMAC_TEXT);
    assert.match(digest, /^hmac-new:/);
    assert.equal(alternates[0], HMAC_BY_JEFE);
    assert.match(alternates[1] ?? '', /^hmac-old:/);
    assert.match(alternates[2] ?? '', /^sha256:/);
    assert.equal(alternates.length, 3);
  });

  it('of a new key has no pepper when only former ones are configured', () => {
    const { digest, alternates } = createDigester({ previousPeppers: [JEFE] })(HMAC_TEXT);
    assert.match(digest, /^sha256:/);
    assert.deepEqual(alternates, [HMAC_BY_JEFE]);
  });

  it('depends on the pepper and on every character of the key', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        fc.pre(one !== other);
        const digester = createDigester({ pepper: JEFE });
        return digester(one).digest !== digester(other).digest && digester(one).digest === digester(one).digest;
      }),
    );
    const other = createDigester({ pepper: { id: 'jefe', secret: 'Other' } });
    assert.notEqual(other(HMAC_TEXT).digest, HMAC_BY_JEFE);
  });

  it('is told from other texts', () => {
    fc.assert(
      fc.property(fc.string(), (key) =>
        Object.values(createDigester({ pepper: JEFE })(key))
          .flat()
          .every(isKeyDigest),
      ),
    );
    const upper = SHA256_OF_ABC.toUpperCase();
    const others = [
      '',
      'abc',
      'sha256:',
      'md5:00',
      'store',
      upper,
      `${SHA256_OF_ABC}0`,
      `x${SHA256_OF_ABC}`,
      `hmac-:${'0'.repeat(64)}`,
      1,
      null,
    ];
    assert.deepEqual(others.filter(isKeyDigest), []);
  });
});
