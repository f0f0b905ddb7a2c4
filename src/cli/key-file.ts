import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { CliError, EXIT } from './errors.ts';

/** A file that is ready to take a key. */
export interface KeyFile {
  readonly path: string;
  write(keyText: string): void;
  /** For when there is no key after all. */
  discard(): void;
}

/**
 * Makes the file before the key is made, so that no key is lost because its file cannot be written. It is readable by its
 * owner only, and never one that was there before: that could be a link, or somebody else's key.
 */
export function reserveKeyFile(path: string): KeyFile {
  const descriptor = attempt(path, () => openSync(path, 'wx', 0o600));
  return {
    path,
    // Without a newline at the end: `kubectl create secret --from-file` takes every byte for the key.
    write: (keyText) => {
      attempt(path, () => writeSync(descriptor, keyText));
      closeSync(descriptor);
    },
    discard: () => {
      closeSync(descriptor);
      unlinkSync(path);
    },
  };
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    const why = isThere ? 'it is there already, and is never overwritten' : String(cause);
    throw new CliError(`cannot write to file ${path} (${why})`, { exitCode: EXIT.writeFile, cause });
  }
}
