import { StoreError } from '../port.ts';
import type { WriteReply } from './scripts.ts';

/**
 * Remembers which store this process has been working with. A Redis that comes back empty, or with another store in it,
 * must not turn every good key into an unknown one; whether it is meant is for people to say, by a restart.
 */
export interface StoreIdentity {
  /** The id of the store seen first; undefined until there was one. */
  readonly expected: string | undefined;
  /** Takes this for the store seen first, unless one was seen: an earlier process saw it. */
  expect(storeId: string): void;
  /** Throws a StoreError('foreign') unless this is the store seen first. */
  verify(storeId: string | null | undefined): void;
  /** The outcome of a write, made certain that it was made to our store and nowhere else. */
  outcomeOf<Outcome>(reply: WriteReply<Outcome>): Outcome;
  /** True for a database in which no store was ever seen: there are no keys yet. Throws like `verify` otherwise. */
  isUnused(storeId: string | null | undefined): boolean;
}

export function createStoreIdentity(): StoreIdentity {
  let expected: string | undefined;

  function verify(storeId: string | null | undefined): void {
    if (storeId === null || storeId === undefined) throw mismatch();
    expected ??= storeId;
    if (storeId !== expected) throw mismatch();
  }

  function mismatch(): StoreError {
    return expected === undefined ? neverUsed() : flushed();
  }

  return {
    get expected() {
      return expected;
    },
    expect: (storeId) => void (expected ??= storeId),
    verify,
    outcomeOf([outcome, storeId]) {
      verify(storeId);
      if (outcome === null) throw mismatch();
      return outcome;
    },
    isUnused(storeId) {
      if (expected === undefined && (storeId === null || storeId === undefined)) return true;
      verify(storeId);
      return false;
    },
  };
}

function neverUsed(): StoreError {
  return new StoreError(
    'foreign',
    'The key store (Redis) is empty: no key has ever been created here, or it was flushed, or the URL, the database number ' +
      'or the prefix is wrong. No key is judged until one is created or the data is restored.',
  );
}

function flushed(): StoreError {
  return new StoreError(
    'foreign',
    'The key store (Redis) is not the one this gateway has been working with: it was flushed or replaced. Restore its ' +
      'data; or, if the new one is meant, restart Keygate, without the file of cache.snapshot.path if it has one.',
  );
}
