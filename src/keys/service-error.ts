import { KIND_NAMES } from './record.ts';
import type { ManagedKind } from './record.ts';

export type KeyServiceFault =
  | 'invalid_name'
  | 'invalid_description'
  | 'invalid_expiry'
  | 'invalid_grace'
  | 'invalid_roles'
  | 'invalid_scope'
  | 'invalid_owner'
  | 'name_taken'
  | 'not_found'
  /** It is revoked, expired, replaced or disabled, and what was asked for needs one that is not. */
  | 'wrong_state'
  /** It was used within the last hour, and nobody said that it is to be deleted all the same. */
  | 'in_use'
  /** There is no copy of its text that could be given out. */
  | 'not_revealable'
  | 'encryption_key_missing'
  | 'invalid_line'
  | 'invalid_cursor'
  | 'conflict';

/** What the caller of the key service can mend, in a sentence that says how. */
export class KeyServiceError extends Error {
  override readonly name = 'KeyServiceError';
  readonly code: KeyServiceFault;

  constructor(code: KeyServiceFault, message: string) {
    super(message);
    this.code = code;
  }
}

export function notFound(kind: ManagedKind, id: string): KeyServiceError {
  return new KeyServiceError(
    'not_found',
    `There is no ${KIND_NAMES[kind]} with the id ${id}. List them to see their ids.`,
  );
}

export function wrongState(kind: ManagedKind, id: string, why: string): KeyServiceError {
  return new KeyServiceError('wrong_state', `The ${KIND_NAMES[kind]} ${id} ${why}`);
}

export function conflict(kind: ManagedKind, id: string): KeyServiceError {
  const message = `The ${KIND_NAMES[kind]} ${id} is being changed by somebody else. Look at it again before you retry.`;
  return new KeyServiceError('conflict', message);
}
