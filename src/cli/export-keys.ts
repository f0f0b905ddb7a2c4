import { createWriteStream, rmSync } from 'node:fs';
import { once } from 'node:events';
import { CliError, EXIT } from './errors.ts';
import { FORMAT, FORMAT_VERSION } from './import-formats.ts';
import type { Header, Trailer } from './import-formats.ts';
import type { KeyAdmin } from './key-admin.ts';
import { createProgress } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface Export {
  /** A new file; standard output if there is none. */
  readonly file: string | undefined;
  /** Dead ones too. */
  readonly all: boolean;
  readonly terminal: Terminal;
}

const PAGE = 500;

/** Writes all keys, in the memory of one page: the next page is read when the last one is written. Returns how many. */
export async function exportKeys(admin: KeyAdmin, { file, all, terminal }: Export): Promise<number> {
  const sink = file === undefined ? toOutput(terminal) : await toNewFile(file);
  const progress = createProgress({ stderr: terminal.stderr, now: Date.now, verb: 'written' });
  let keys = 0;
  try {
    const header: Header = {
      format: FORMAT,
      version: FORMAT_VERSION,
      exportedAt: new Date().toISOString(),
      trailer: true,
    };
    let after: string | undefined;
    do {
      const page = await admin.exportKeys({ limit: PAGE, all, ...(after !== undefined && { after }) });
      // Not before there is something to export: whoever may not export gets a fault, and no half of a file.
      await sink.write(toLines(after === undefined ? [header, ...page.keys] : page.keys));
      keys += page.keys.length;
      progress.at(keys);
      after = page.next;
    } while (after !== undefined);
    const trailer: Trailer = { format: FORMAT, keys };
    await sink.write(toLines([trailer]));
    await sink.end();
  } catch (error) {
    sink.discard();
    throw error;
  } finally {
    progress.end();
  }
  return keys;
}

function toLines(values: readonly object[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

/** Where an export goes. Each method settles when what was given to it has gone out. */
interface Sink {
  write(text: string): Promise<void>;
  end(): Promise<void>;
  /** Half an export is none. */
  discard(): void;
}

function toOutput({ stdout }: Terminal): Sink {
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => (error ? reject(cannotWrite('standard output', error)) : resolve()));
      }),
    end: async () => {},
    discard: () => {},
  };
}

/** Readable by its owner only, as digests are nobody else's business, and never one that was there before. */
async function toNewFile(path: string): Promise<Sink> {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const fault = (error: unknown): CliError => cannotWrite(`file ${path}`, error);
  await once(stream, 'open').catch((error: unknown) => {
    throw fault(error);
  });
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(fault(error)) : resolve()));
      }),
    end: () =>
      new Promise((resolve, reject) => {
        stream.on('error', (error) => reject(fault(error))).end(resolve);
      }),
    discard: () => {
      stream.on('error', () => {}).destroy();
      rmSync(path, { force: true });
    },
  };
}

function cannotWrite(what: string, cause: unknown): CliError {
  const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
  const why = isThere ? 'it is there already, and is never overwritten' : String(cause);
  return new CliError(`cannot write to ${what} (${why})`, { exitCode: EXIT.writeFile, cause });
}
