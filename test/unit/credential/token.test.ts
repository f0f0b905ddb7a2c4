import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createDigester, ownerDigest } from '../../../src/credential/digest.ts';
import type { KeyDigest } from '../../../src/credential/digest.ts';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { isPlainKey, MAX_KEY_BYTES } from '../../../src/credential/read.ts';
import { createTokens, TOKEN_LEEWAY_MS, tokenClaims } from '../../../src/credential/token.ts';

const NOW = 1_760_000_000_123;
const HOUR = 3_600_000;
const SECRET = 'a-secret-of-32-characters-at-least';
const KEY = createKeyText('ingestion');
const { digest } = createDigester({})(KEY);
const of = { id: '250558013078953', digest, endsAtMs: undefined };

const tokensWith = (secret = SECRET, ...previousSecrets: string[]) =>
  createTokens({ secret, previousSecrets, lifetimeMs: HOUR });
const part = (text: string, index: number): string =>
  Buffer.from(text.split('.')[index] ?? '', 'base64url').toString('utf8');

describe('a token', () => {
  it('stands for the digest of its key until it ends, and a little longer', () => {
    const tokens = tokensWith();
    const { text, issuedAt, expiresAt } = tokens.mint(of, NOW);
    assert.deepEqual([issuedAt, expiresAt], [1_760_000_000, 1_760_003_600]);
    assert.deepEqual(tokens.read(text), { digest, endsAtMs: 1_760_003_600_000 + TOKEN_LEEWAY_MS });
  });

  it('ends with its key', () => {
    assert.equal(tokensWith().mint({ ...of, endsAtMs: NOW + 5_000 }, NOW).expiresAt, 1_760_000_005);
    assert.equal(tokensWith().mint({ ...of, endsAtMs: NOW + 2 * HOUR }, NOW).expiresAt, 1_760_003_600);
  });

  it('is a JWT that clients of IAM can read, and tells them nothing of the key but its id', () => {
    const { text } = tokensWith().mint(of, NOW);
    assert.match(part(text, 0), /^\{"alg":"HS256","typ":"JWT","kid":"kg-[\w-]{8}"\}$/);
    const { sub, iat, exp, ...rest } = JSON.parse(part(text, 1)) as Record<string, unknown>;
    assert.deepEqual([sub, iat, exp], ['250558013078953', 1_760_000_000, 1_760_003_600]);
    assert.deepEqual(Object.keys(rest), ['key']);
    const hash = Buffer.from(digest.slice('sha256:'.length), 'hex');
    for (const secret of [KEY, digest, digest.slice('sha256:'.length), SECRET]) {
      for (const where of [text, part(text, 0), part(text, 1)]) assert.ok(!where.includes(secret));
    }
    assert.ok(!Buffer.from(String(rest['key']), 'base64url').includes(hash));
  });

  it('is another one each time, and goes where a key goes, whatever its key was stored with', () => {
    const tokens = tokensWith();
    assert.notEqual(tokens.mint(of, NOW).text, tokens.mint(of, NOW).text);
    const pepper = { id: 'x'.repeat(64), secret: 'a-pepper-of-the-tests' };
    const longest = { ...of, id: '9'.repeat(19), digest: createDigester({ pepper })(KEY).digest };
    const { text } = tokens.mint(longest, NOW);
    assert.ok(isPlainKey(text) && text.length < MAX_KEY_BYTES, String(text.length));
    assert.equal((tokens.read(text) as { digest: KeyDigest }).digest, longest.digest);
  });

  it('is taken while its secret is known, and a doubt otherwise', () => {
    const { text } = tokensWith('the-old-secret-of-32-characters-or-more').mint(of, NOW);
    assert.deepEqual(tokensWith().read(text), { problem: 'unknown_signer' });
    const rotated = tokensWith(
      SECRET,
      'another-former-secret-of-32-characters',
      'the-old-secret-of-32-characters-or-more',
    );
    assert.equal((rotated.read(text) as { digest: KeyDigest }).digest, digest);
    assert.equal(tokensWith().mint(of, NOW).text.split('.')[0], rotated.mint(of, NOW).text.split('.')[0]);
  });

  it('says to whoever has it, and no secret, who signed it, which key it is of, and when it ends', () => {
    const { text } = tokensWith('the-old-secret-of-32-characters-or-more').mint(of, NOW);
    const claims = tokenClaims(text);
    assert.ok(claims !== undefined && !('problem' in claims));
    const { signer, ...rest } = claims;
    assert.deepEqual(rest, { keyId: of.id, endsAtMs: 1_760_003_600_000 + TOKEN_LEEWAY_MS });
    assert.equal(signer, (JSON.parse(part(text, 0)) as { kid: string }).kid);
    const rotated = tokensWith(SECRET, 'the-old-secret-of-32-characters-or-more');
    assert.deepEqual([tokensWith().knows(signer), rotated.knows(signer), rotated.knows('')], [false, true, false]);

    const [head = '', , signature = ''] = text.split('.');
    for (const claim of [
      '{}',
      'x',
      '{"sub":"1"}',
      '{"sub":"../1","exp":1}',
      '{"sub":1,"exp":1}',
      '{"sub":"1","exp":"2"}',
      '{"sub":"1","exp":1e15}',
    ]) {
      const written = Buffer.from(claim).toString('base64url');
      assert.deepEqual(tokenClaims(`${head}.${written}.${signature}`), { problem: 'bad_checksum' }, claim);
    }
    for (const other of [KEY, '', 'eyJ..', `${head}.e30`, `${head}.e30.x.y`, 'eyJhbGciOiJub25lIn0.e30.x']) {
      assert.equal(tokenClaims(other), undefined, other);
    }
  });

  it('is never made of what an owner is stored under', () => {
    const tokens = tokensWith();
    const { text } = tokens.mint({ ...of, digest: ownerDigest('1') }, NOW);
    assert.deepEqual(tokens.read(text), { problem: 'unknown_signer' });
  });
});

describe('what is not as it was signed', () => {
  const tokens = tokensWith();
  const { text } = tokens.mint(of, NOW);
  const [head = '', claims = '', signature = ''] = text.split('.');

  it('is refused, whichever character was changed', () => {
    for (let i = head.length + 1; i < text.length; i++) {
      if (text[i] === '.') continue;
      const changed = `${text.slice(0, i)}${text[i] === 'A' ? 'B' : 'A'}${text.slice(i + 1)}`;
      assert.deepEqual(tokens.read(changed), { problem: 'bad_checksum' }, `character ${i}`);
    }
    for (const other of ['', 'A', signature.slice(1), `${signature}A`, `${signature}=`]) {
      assert.deepEqual(tokens.read(`${head}.${claims}.${other}`), { problem: 'bad_checksum' }, other);
    }
  });

  it('is refused with a longer life, or another digest, under the same signature', () => {
    const forged = { ...(JSON.parse(part(text, 1)) as object), exp: 9_999_999_999 };
    const written = Buffer.from(JSON.stringify(forged)).toString('base64url');
    assert.deepEqual(tokens.read(`${head}.${written}.${signature}`), { problem: 'bad_checksum' });
  });

  it('cannot choose how it is verified (RFC 8725, 2.1): "none", another algorithm, or a key that is told', () => {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { kid } = JSON.parse(part(text, 0)) as { kid: string };
    const sign = (secret: string | Buffer, signed: string): string =>
      `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    const foreign = [
      `${encode({ alg: 'none', typ: 'JWT', kid })}.${claims}.`,
      `${encode({ alg: 'HS512', typ: 'JWT', kid })}.${claims}.${signature}`,
      `${encode({ alg: 'HS256', typ: 'JWT', kid, jwk: { k: 'AA' } })}.${claims}.${signature}`,
      sign(SECRET, `${encode({ alg: 'HS256', typ: 'JWT' })}.${claims}`),
    ];
    for (const each of foreign) assert.equal(tokens.read(each), undefined, each);
    // Signed with the secret itself and not with what is derived from it.
    assert.deepEqual(tokens.read(sign(SECRET, `${head}.${claims}`)), { problem: 'bad_checksum' });
  });
});

describe('what is no token of a Keygate', () => {
  const tokens = tokensWith();

  it('is a key: one of ours, of IBM, or any other text', () => {
    const ofIbm = Buffer.from('{"kid":"20261101","alg":"RS256"}').toString('base64url');
    for (const text of [KEY, '', 'eyJ', 'eyJ.', 'eyJ..', 'eyJ...', 'eyJhbGciOi', `${ofIbm}.e30.c2ln`]) {
      assert.equal(tokens.read(text), undefined, text);
    }
  });

  it('never throws, whatever it is', () => {
    const { text } = tokens.mint(of, NOW);
    const pieces = fc.array(fc.constantFrom(...text.split('.'), '.', 'eyJ', 'e30', 'x', '=', '{}'), { maxLength: 8 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((list) => list.join('')),
        ),
        (candidate) => {
          if (candidate === text) return;
          const read = tokens.read(candidate);
          assert.ok(read === undefined || 'problem' in read);
          assert.equal(
            tokensWith(randomBytes(32).toString('base64')).read(candidate) === undefined,
            read === undefined,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
