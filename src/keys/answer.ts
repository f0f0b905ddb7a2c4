import type { Digests } from '../credential/digest.ts';
import type { KeyRecord } from './record.ts';

/** What is known of a key. "No such key" and "cannot tell" are different answers: only the first may end in a 403. */
export type KeyAnswer =
  | {
      readonly kind: 'known';
      readonly record: KeyRecord;
      /** What is known of the owner, for a key that has one. */
      readonly owner?: KeyAnswer;
    }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable'; readonly reason: 'store_unavailable' | 'store_timeout' };

/**
 * Answers at once when it can, and never rejects: a fault of the store is an answer. `from` is the address of whoever sent
 * the key and may have made it up; whoever asks for a reason of their own gives none.
 */
export type KeyLookup = (digests: Digests, from?: string) => KeyAnswer | Promise<KeyAnswer>;

export const UNKNOWN: KeyAnswer = { kind: 'unknown' };
export const STORE_UNAVAILABLE: KeyAnswer = { kind: 'unavailable', reason: 'store_unavailable' };
export const STORE_TIMEOUT: KeyAnswer = { kind: 'unavailable', reason: 'store_timeout' };
