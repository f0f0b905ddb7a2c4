import { hash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** In place of a file's digest: it could not be read. */
const UNREADABLE = '';

/** The files that a configuration was read from, whatever they are to it, and whether they still say the same. */
export class ConfigFiles {
  readonly #digests = new Map<string, string>();
  #readOnce: string | undefined;

  /** Reads a file as the loader wants it, or throws as node:fs does; either way it is one of these files from now on. */
  readonly read = (path: string): string => {
    this.#digests.set(path, UNREADABLE);
    const text = readFileSync(path, 'utf8');
    if (statSync(path).isFile()) this.#digests.set(path, hash('sha256', text));
    else {
      this.#digests.delete(path); // to look into it would wait for what may never come
      this.#readOnce = path;
    }
    return text;
  };

  /** One of them that can be read only once, such as a pipe, if there is any. */
  get readOnce(): string | undefined {
    return this.#readOnce;
  }

  /** Without keeping requests waiting. */
  async haveChanged(): Promise<boolean> {
    for (const [path, digest] of this.#digests) if ((await digestOf(path)) !== digest) return true;
    return false;
  }

  /**
   * Where their names stand, and where the files lie that these lead to: editors and Kubernetes do not write into a file, they
   * have another one take its name, or a link lead elsewhere.
   */
  get directories(): ReadonlySet<string> {
    const directories = new Set<string>();
    for (const path of this.#digests.keys()) {
      directories.add(dirname(resolve(path)));
      try {
        directories.add(dirname(realpathSync(path)));
      } catch {
        // It is not there yet.
      }
    }
    return directories;
  }
}

async function digestOf(path: string): Promise<string> {
  try {
    return hash('sha256', await readFile(path, 'utf8'));
  } catch {
    return UNREADABLE;
  }
}
