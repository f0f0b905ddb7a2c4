import type { KeyStore } from '../store/port.ts';
import { toAuditEntry } from './audit.ts';
import type { Actor, AuditEntry } from './audit.ts';
import { mustLive } from './key-changes.ts';
import { withoutSealed } from './record.ts';
import type { KeyRecord } from './record.ts';
import type { Sealer } from './seal.ts';
import { KeyServiceError } from './service-error.ts';

export interface RevealedKey {
  readonly record: KeyRecord;
  readonly text: string;
}

export interface RevealOptions {
  readonly store: KeyStore;
  readonly sealer: Sealer;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly audited: (entry: AuditEntry) => void;
  /** Throws if there is no such key. */
  readonly get: (kind: 'ingestion', id: string) => Promise<KeyRecord>;
}

/**
 * Gives out the text of a key that was kept for it. Who was given it is in the audit log before it is given: if that
 * cannot be written, nobody gets the key.
 */
export function createReveal({ store, sealer, now, audited, get }: RevealOptions) {
  return async (id: string, actor: Actor): Promise<RevealedKey> => {
    const record = await get('ingestion', id);
    mustLive('ingestion', record, now());
    const opened = sealer.open(record);
    if ('problem' in opened) throw closed(record, opened.problem);
    const entry = toAuditEntry({ at: now(), actor, action: 'revealed', before: record, after: record });
    await store.note(entry);
    audited(entry);
    return { record: withoutSealed(record), text: opened.text };
  };
}

type Problem = Exclude<ReturnType<Sealer['open']>, { readonly text: string }>['problem'];

function closed({ id, type, sealed }: KeyRecord, problem: Problem): KeyServiceError {
  const of = type === undefined ? 'keys without a type are' : `${type} keys are`;
  switch (problem) {
    case 'type':
      return notRevealable(
        id,
        `${of} not among keys.revealable.types. Whoever needs its text needs a new key: rotate it.`,
      );
    case 'none':
      return notRevealable(id, 'no copy of its text was kept when it was made. Rotate it: its successor can be.');
    case 'not_authentic':
      return notRevealable(
        id,
        `the stored copy is not the one that was made for it, or the encryption key "${sealed?.by}" is another one than then. Rotate it.`,
      );
    case 'no_encryption_key':
      return new KeyServiceError(
        'encryption_key_missing',
        `The ingestion API key ${id} was sealed with the encryption key "${sealed?.by}", which is not configured here. ` +
          'Set it in keys.revealable.encryptionKey or previousEncryptionKeys, or rotate the key.',
      );
  }
}

function notRevealable(id: string, why: string): KeyServiceError {
  return new KeyServiceError('not_revealable', `The ingestion API key ${id} cannot be revealed: ${why}`);
}
