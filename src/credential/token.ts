import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { isKeyDigest, isOwnerDigest } from './digest.ts';
import type { KeyDigest } from './digest.ts';
import type { Random } from './key-text.ts';

/**
 * Tokens: what a key can be exchanged for, so that it need not be sent with every request. A token says which key it came
 * from, by the key's digest, and until when it may be used; everything else is asked of the key's record, for each request
 * anew, so a token is dead as soon as its key is. See docs/decisions/0011-tokens-are-keys-for-a-while.md.
 */
export interface TokenRules {
  /** Signs new tokens. */
  readonly secret: string;
  /** Tokens that were signed with these are still taken. */
  readonly previousSecrets: readonly string[];
  readonly lifetimeMs: number;
}

export interface Token {
  readonly text: string;
  /** In seconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export type TokenReading =
  | { readonly digest: KeyDigest; readonly endsAtMs: number }
  /** It is not as it was signed; or it was signed with a secret which is not known here, and so cannot be told from a good one. */
  | { readonly problem: 'bad_checksum' | 'unknown_signer' };

/** What a token is made from. */
export interface TokenKey {
  readonly id: string;
  readonly digest: KeyDigest;
  /** When the key is dead, if that is known. */
  readonly endsAtMs: number | undefined;
}

/** What a token says of itself, which whoever has it can read, and which nobody has verified. */
export interface TokenClaims {
  /** The name of the secret that it says it was signed with. */
  readonly signer: string;
  readonly keyId: string;
  readonly endsAtMs: number;
}

export interface Tokens {
  mint(key: TokenKey, nowMs: number): Token;
  /** Undefined for what is no token of a Keygate: then it is a key. */
  read(text: string): TokenReading | undefined;
  /** Whether tokens that were signed with the secret of this name are taken. */
  knows(signer: string): boolean;
}

/** Clocks of gateways differ, and a request that was sent in time may be on its way for a while. */
export const TOKEN_LEEWAY_MS = 60_000;

/** How every JSON object begins in base64url, and no key of ours. */
const JWT_START = 'eyJ';
/** As `headOf` writes it. */
const HEAD = /^\{"alg":"HS256","typ":"JWT","kid":"(kg-[A-Za-z0-9_-]{8})"\}$/;
const MAX_HEAD_LENGTH = 100;

export function createTokens(rules: TokenRules, random: Random = randomBytes): Tokens {
  const signer = createSigner(rules.secret);
  const signers = new Map([...rules.previousSecrets.map(createSigner), signer].map((each) => [each.head, each]));

  return {
    mint({ id, digest, endsAtMs = Infinity }, nowMs) {
      const issuedAt = Math.floor(nowMs / 1_000);
      const expiresAt = Math.floor(Math.min(nowMs + rules.lifetimeMs, endsAtMs) / 1_000);
      const claims = { sub: id, iat: issuedAt, exp: expiresAt, key: signer.seal(digest, random) };
      return { text: signer.sign(JSON.stringify(claims)), issuedAt, expiresAt };
    },

    read(text) {
      const parts = partsOf(text);
      if (parts === undefined) return undefined;
      const known = signers.get(parts.head);
      if (known !== undefined) return known.read(parts.claims, parts.signature);
      return signerIn(parts.head) === undefined ? undefined : { problem: 'unknown_signer' };
    },

    knows: (signer) => signers.has(headOf(signer)),
  };
}

/**
 * What a text says that looks like a token of a Keygate, for people who ask about it and may not have the secret; nothing
 * may be let through by it. Undefined for what is no token; the problem is that of one whose claims nobody wrote like this.
 */
export function tokenClaims(text: string): TokenClaims | { readonly problem: 'bad_checksum' } | undefined {
  const parts = partsOf(text);
  const signer = parts && signerIn(parts.head);
  if (parts === undefined || signer === undefined) return undefined;
  try {
    const { sub, exp } = readClaims(parts.claims);
    const isOurs = typeof sub === 'string' && /^[0-9]{1,19}$/.test(sub) && isTime(exp);
    return isOurs ? { signer, keyId: sub, endsAtMs: endOf(exp) } : { problem: 'bad_checksum' };
  } catch {
    return { problem: 'bad_checksum' };
  }
}

interface Parts {
  readonly head: string;
  readonly claims: string;
  readonly signature: string;
}

function partsOf(text: string): Parts | undefined {
  if (!text.startsWith(JWT_START)) return undefined;
  const [head = '', claims, signature, ...more] = text.split('.', 4);
  return claims === undefined || signature === undefined || more.length > 0 ? undefined : { head, claims, signature };
}

/** The name of the secret in the head of a token of a Keygate, be it known here or not. */
function signerIn(head: string): string | undefined {
  return head.length > MAX_HEAD_LENGTH ? undefined : HEAD.exec(Buffer.from(head, 'base64url').toString('latin1'))?.[1];
}

function readClaims(claims: string): { readonly sub: unknown; readonly exp: number; readonly key: string } {
  return JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { sub: unknown; exp: number; key: string };
}

/** Of this or of one of the next thousand years, for it is shown as a date. */
function isTime(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && seconds >= 0 && seconds < 1e11;
}

function endOf(exp: number): number {
  return exp * 1_000 + TOKEN_LEEWAY_MS;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The security rule of tokens, the only place that makes and reads them. From one secret come three keys that have nothing
 * to do with each other (HKDF, RFC 5869): one signs, one hides, one only names the secret.
 *
 * - A token is a JWT with HMAC-SHA-256 (RFC 7519, RFC 7515), because clients of IAM read `exp` and `iat` from it. The
 *   algorithm is ours to say, not the token's: a head that is not to the letter one of ours is never verified by what it
 *   says (RFC 8725, 3.1), so there is no "none" and no other algorithm to choose.
 * - The signature is compared in constant time, as text, so that there is one way to write it.
 * - The digest of the key is sealed (AES-256-GCM, a random nonce each). Digests of generated keys give nothing away, but
 *   those of keys that people made up could be guessed by whoever finds a token.
 */
function createSigner(secret: string) {
  const derive = (use: string, bytes: number): Buffer => Buffer.from(hkdfSync('sha256', secret, '', use, bytes));
  const signing = derive('keygate token signature', 32);
  const sealing = derive('keygate token digest', 32);
  const head = headOf(`kg-${derive('keygate token key id', 6).toString('base64url')}`);
  const signatureOf = (signed: string): string => createHmac('sha256', signing).update(signed).digest('base64url');

  function open(claims: string): TokenReading {
    const { exp, key } = readClaims(claims);
    const sealed = Buffer.from(key, 'base64url');
    const decipher = createDecipheriv(CIPHER, sealing, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const packed = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return { digest: unpack(packed), endsAtMs: endOf(exp) };
  }

  return {
    head,
    seal(digest: KeyDigest, random: Random): string {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, sealing, nonce, { authTagLength: TAG_BYTES });
      return Buffer.concat([nonce, cipher.update(pack(digest)), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      );
    },
    sign(claims: string): string {
      const signed = `${head}.${Buffer.from(claims).toString('base64url')}`;
      return `${signed}.${signatureOf(signed)}`;
    },
    read(claims: string, signature: string): TokenReading {
      const expected = Buffer.from(signatureOf(`${head}.${claims}`));
      const given = Buffer.from(signature);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { problem: 'bad_checksum' };
      // From here on it is something that a Keygate wrote; but perhaps one of another time, which wrote otherwise.
      try {
        return open(claims);
      } catch {
        return { problem: 'unknown_signer' };
      }
    },
  };
}

function headOf(signer: string): string {
  const head = { alg: 'HS256', typ: 'JWT', kid: signer };
  return Buffer.from(JSON.stringify(head)).toString('base64url');
}

const HASH_BYTES = 32;

/** The hash in bytes, and behind it how it was made: half as long as the digest is written, so that tokens fit in a header. */
function pack(digest: KeyDigest): Buffer {
  const [way = '', hash = ''] = digest.split(':', 2);
  return Buffer.concat([Buffer.from(hash, 'hex'), Buffer.from(way)]);
}

function unpack(packed: Buffer): KeyDigest {
  const digest = `${packed.toString('latin1', HASH_BYTES)}:${packed.toString('hex', 0, HASH_BYTES)}`;
  if (!isKeyDigest(digest) || isOwnerDigest(digest)) throw new TypeError('a token was signed for what is no key');
  return digest;
}
