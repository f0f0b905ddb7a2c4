import { createHmac, hash } from 'node:crypto';

declare const digestBrand: unique symbol;

/**
 * What is known of a key after the door: `sha256:<hex>`, or `hmac-<pepper id>:<hex>` when a pepper is configured. (Owners of
 * keys, who have no text, are stored under `owner:<id>`.) The
 * pepper's id travels with each digest, so that peppers can be rotated while old keys keep working. Keys have at least
 * 128 random bits, so a fast hash is the right one: a slow one would only be a way to stall the gateway.
 */
export type KeyDigest = string & { readonly [digestBrand]: true };

export interface Pepper {
  readonly id: string;
  readonly secret: string;
}

/** The digests under which a key may be stored: the one new keys get first, then those of former peppers. */
export interface Digests {
  readonly digest: KeyDigest;
  readonly alternates: readonly KeyDigest[];
}

export type Digester = (keyText: string) => Digests;

export interface DigesterOptions {
  readonly pepper?: Pepper | undefined;
  readonly previousPeppers?: readonly Pepper[];
}

export function createDigester({ pepper, previousPeppers = [] }: DigesterOptions): Digester {
  if (pepper === undefined && previousPeppers.length === 0) {
    const none: readonly KeyDigest[] = [];
    return (text) => ({ digest: sha256(text), alternates: none });
  }
  const peppered = (pepper ? [pepper, ...previousPeppers] : previousPeppers).map(
    (each) => (text: string) => hmac(each, text),
  );
  // Keys made before the first pepper was configured stay valid: their digest has none. It comes last, or first where no
  // pepper is configured any more.
  const [first, ...rest] = pepper ? [...peppered, sha256] : [sha256, ...peppered];
  if (first === undefined) throw new TypeError('a digester needs at least one hash');
  return (text) => ({ digest: first(text), alternates: rest.map((digestOf) => digestOf(text)) });
}

function sha256(text: string): KeyDigest {
  return `sha256:${hash('sha256', text)}` as KeyDigest;
}

function hmac(pepper: Pepper, text: string): KeyDigest {
  return `hmac-${pepper.id}:${createHmac('sha256', pepper.secret).update(text).digest('hex')}` as KeyDigest;
}

const DIGEST = /^(?:(?:sha256|hmac-[A-Za-z0-9_.-]{1,64}):[0-9a-f]{64}|owner:[0-9]{1,19})$/;

/**
 * Where the record of an owner is stored. Owners have no text, so there is nothing to hash; no text of a key comes to a
 * digest of this form, so nobody can send one.
 */
export function ownerDigest(id: string): KeyDigest {
  return `owner:${id}` as KeyDigest;
}

export function isOwnerDigest(digest: KeyDigest): boolean {
  return digest.startsWith('owner:');
}

/** Digests that come back from a store are checked before they are trusted as such. */
export function isKeyDigest(value: unknown): value is KeyDigest {
  return typeof value === 'string' && DIGEST.test(value);
}
