import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../credential/key-text.ts';
import type { KeyRecord, Sealed } from './record.ts';
import { KEY_TYPES } from './scope.ts';

/** What an operator may declare revealable: a type, or the keys that have none. */
export const REVEALABLE_TYPES = [...KEY_TYPES, 'none'] as const;
export type RevealableType = (typeof REVEALABLE_TYPES)[number];

/** A key-encryption key of 32 bytes, in base64. It is never in the store, or the sealed copies would be worth a text. */
export interface EncryptionKey {
  readonly id: string;
  readonly secret: string;
}

export interface SealerOptions {
  readonly types: readonly RevealableType[];
  /** Seals new copies. */
  readonly key: EncryptionKey | undefined;
  /** These only open what was sealed with them. */
  readonly previousKeys?: readonly EncryptionKey[];
  readonly random: Random;
}

/** Why a copy stays closed: the type is not revealable, there is no such key-encryption key, or it is not ours. */
export type OpenResult =
  | { readonly text: string }
  | { readonly problem: 'type' | 'none' | 'no_encryption_key' | 'not_authentic' };

export interface Sealer {
  /** The sealed copy to store beside the record; undefined for a key that is not to be revealed. */
  seal(record: Sealable, text: string): Sealed | undefined;
  open(record: Sealable & Pick<KeyRecord, 'sealed'>): OpenResult;
}

type Sealable = Pick<KeyRecord, 'id' | 'kind' | 'digest' | 'type'>;

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What stands where nothing was declared revealable. */
export const NO_SEALER: Sealer = {
  seal: () => undefined,
  open: () => ({ problem: 'type' }),
};

export function createSealer({ types, key, previousKeys = [], random }: SealerOptions): Sealer {
  const keys = new Map<string, Buffer>();
  for (const { id, secret } of key === undefined ? previousKeys : [key, ...previousKeys]) {
    const bytes = parseEncryptionKey(secret);
    if (bytes === undefined) throw new TypeError(`the key-encryption key "${id}" must be ${KEY_BYTES} bytes in base64`);
    keys.set(id, bytes);
  }
  const revealable: ReadonlySet<string> = new Set(types);
  // A service token manages keys: whoever could read one back would be its holder. It never has a copy.
  const isRevealable = ({ kind, type }: Sealable): boolean => kind === 'ingestion' && revealable.has(type ?? 'none');

  return {
    seal(record, text) {
      const bytes = key && keys.get(key.id);
      if (!isRevealable(record) || key === undefined || bytes === undefined) return undefined;
      return { by: key.id, ...sealText(bytes, contextOf(record), text, random) };
    },

    open(record) {
      const { sealed } = record;
      if (!isRevealable(record)) return { problem: 'type' };
      if (sealed === undefined) return { problem: 'none' };
      const bytes = keys.get(sealed.by);
      if (bytes === undefined) return { problem: 'no_encryption_key' };
      const text = openText(bytes, contextOf(record), sealed);
      return text === undefined ? { problem: 'not_authentic' } : { text };
    },
  };
}

/** The record with a sealed copy of its text, if it is to have one. */
export function withSealed(record: KeyRecord, text: string, sealer: Sealer): KeyRecord {
  const sealed = sealer.seal(record, text);
  return sealed === undefined ? record : { ...record, sealed };
}

/** The bytes of a key-encryption key as it is written; undefined unless it is exactly 32 bytes in base64. */
export function parseEncryptionKey(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === KEY_BYTES && bytes.toString('base64') === text ? bytes : undefined;
}

/**
 * The security rule of sealed copies, the only place that makes one (NIST SP 800-38D):
 * - a nonce of 96 random bits for each copy (8.2.2), never used twice: good for 2^32 copies a key (8.3), which is more
 *   keys than a store holds
 * - a tag of 128 bits (5.2.1.2), and none that is shorter is ever taken (appendix C): Node takes 32 bits unless told
 * - id and digest of the record as additional data, so that a copy which was moved to another record does not open, and
 *   whoever may write to the store cannot have another key revealed in place of the one that is asked for
 */
function sealText(key: Buffer, context: Buffer, text: string, random: Random): Pick<Sealed, 'nonce' | 'text' | 'tag'> {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return {
    nonce: nonce.toString('base64'),
    text: sealed.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
  };
}

/** The other half of the rule: undefined for what was not sealed with this key for this record. */
function openText(key: Buffer, context: Buffer, sealed: Sealed): string | undefined {
  const [nonce, tag] = [Buffer.from(sealed.nonce, 'base64'), Buffer.from(sealed.tag, 'base64')];
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES) return undefined;
  try {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context).setAuthTag(tag);
    const text = Buffer.concat([decipher.update(Buffer.from(sealed.text, 'base64')), decipher.final()]);
    return text.toString('utf8');
  } catch {
    return undefined;
  }
}

/** Neither an id nor a digest has a line break in it, so no two records have the same. */
function contextOf({ id, digest }: Sealable): Buffer {
  return Buffer.from(`keygate-sealed-key\n${id}\n${digest}`);
}
