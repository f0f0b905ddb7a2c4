import { StoreError } from '../port.ts';

/** Primary result codes of SQLite: https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_NOTADB = 26;

/** The one door by which errors of node:sqlite and of the file system come in. */
export function toStoreError(cause: unknown, path: string): StoreError {
  if (cause instanceof StoreError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  switch (primaryCode(cause)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new StoreError(
        'timeout',
        `The key store ${path} is being written to by another process. Try again.`,
        cause,
      );
    case SQLITE_NOTADB:
      return new StoreError('foreign', `${path} is not a database. Set store.sqlite.path to another file.`, cause);
    default:
      return new StoreError('unavailable', `The key store ${path} cannot be used: ${message}.`, cause);
  }
}

/** Extended codes carry the primary one in their lowest byte. */
function primaryCode(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !('errcode' in cause) || typeof cause.errcode !== 'number') return undefined;
  return cause.errcode & 0xff;
}
