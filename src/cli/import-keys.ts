import { createReadStream, statSync } from 'node:fs';
import { MAX_IMPORT_LINES } from '../admin/transfer-schemas.ts';
import type { ImportResult } from '../admin/transfer-schemas.ts';
import { CliError, EXIT } from './errors.ts';
import { prepareLine } from './foreign-key.ts';
import { readEntries } from './import-formats.ts';
import type { Entry, ImportFormat } from './import-formats.ts';
import type { KeyAdmin } from './key-admin.ts';
import { createProgress } from './progress.ts';
import type { Progress } from './progress.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface Import {
  /** Standard input if there is none. */
  readonly file: string | undefined;
  readonly format: ImportFormat;
  readonly dryRun: boolean;
  readonly terminal: Terminal;
  readonly say: (line: string) => void;
}

export interface ImportSummary {
  readonly imported: number;
  readonly unchanged: number;
  readonly refused: number;
  /** Why the rest of the file was not read. */
  readonly fault?: CliError;
}

/** With MAX_LINE_BYTES, what the admin API takes at once and still has room for the rest of the body. */
const MAX_BATCH_BYTES = 60 * 1024;

/**
 * Imports a file of any size in the memory of one batch: the next lines are read when the store has taken the last ones.
 * Refused lines are named at once, and what stands before a fault of the file is imported.
 */
export async function importKeys(admin: KeyAdmin, request: Import): Promise<ImportSummary> {
  const { terminal, say, dryRun, format } = request;
  const { input, size } = openInput(request);
  const progress = createProgress({ stderr: terminal.stderr, now: Date.now, verb: dryRun ? 'checked' : 'read' });
  const counts = { imported: 0, unchanged: 0, refused: 0 };
  let batch: Prepared[] = [];
  let batchBytes = 0;
  let done = 0;

  async function flush(): Promise<void> {
    const lines = batch.flatMap((each) => ('line' in each ? [each.line] : []));
    const results = lines.length === 0 ? [] : await admin.importKeys(lines, { dryRun });
    const next = results.values();
    for (const each of batch) {
      const result: ImportResult =
        'line' in each ? (next.next().value ?? NO_RESULT) : { outcome: 'refused', reason: each.problem };
      counts[result.outcome]++;
      if (result.outcome === 'refused') tellRefused(each.entry, result, progress, say);
    }
    done += batch.length;
    const read = batch.at(-1)?.entry.endsAtByte ?? 0;
    progress.at(done, size === undefined ? undefined : read / size);
    batch = [];
    batchBytes = 0;
  }

  try {
    for await (const entry of readEntries(input, format)) {
      const prepared = prepare(entry, admin);
      const bytes = 'line' in prepared ? Buffer.byteLength(JSON.stringify(prepared.line)) + 1 : 0;
      if (batch.length === MAX_IMPORT_LINES || batchBytes + bytes > MAX_BATCH_BYTES) await flush();
      batch.push(prepared);
      batchBytes += bytes;
    }
    await flush();
  } catch (error) {
    const fault = toFault(error, request.file);
    if (fault.exitCode !== EXIT.readFile) throw stoppedAfter(done, fault);
    await flush();
    return { ...counts, fault };
  } finally {
    progress.end();
  }
  return counts;
}

type Prepared = { readonly entry: Entry } & ({ readonly line: object } | { readonly problem: string });

const NO_RESULT: ImportResult = { outcome: 'refused', reason: 'it got no answer. Import it again' };

function prepare(entry: Entry, { digestsOf }: KeyAdmin): Prepared {
  if ('problem' in entry) return { entry, problem: entry.problem };
  return { entry, ...prepareLine(entry.value, digestsOf) };
}

function tellRefused({ number, ...entry }: Entry, { name, reason }: ImportResult, progress: Progress, say: Say): void {
  const known = name ?? ('value' in entry && 'name' in entry.value ? entry.value.name : undefined);
  const called = typeof known === 'string' ? ` (${known.slice(0, 100)})` : '';
  progress.interrupt();
  say(`line ${number}${printable(called)} refused: ${printable(reason ?? 'no reason was given')}`);
}

type Say = (line: string) => void;

function openInput({ file, terminal }: Import): { input: AsyncIterable<Uint8Array>; size: number | undefined } {
  if (file !== undefined) {
    try {
      return { size: statSync(file).size, input: createReadStream(file) };
    } catch (error) {
      throw toFault(error, file);
    }
  }
  if (terminal.stdin === undefined) {
    throw new CliError('nothing is piped in: name a file with --file', { exitCode: EXIT.refused });
  }
  return { input: terminal.stdin, size: undefined };
}

/** What is no fault of the command or the store is one of reading. */
function toFault(error: unknown, file: string | undefined): CliError {
  if (error instanceof CliError) return error;
  const isSystem = error instanceof Error && 'syscall' in error;
  if (!isSystem) throw error;
  const what = file === undefined ? 'standard input' : `file ${file}`;
  return new CliError(`cannot read ${what} (${error.message})`, { exitCode: EXIT.readFile, cause: error });
}

/** An import can be repeated: whoever hears of a fault of the store should know it. */
function stoppedAfter(done: number, { message, exitCode, reason, details, cause }: CliError): CliError {
  const told = `the import stopped after ${done} lines, and can be run again as it is: ${message}`;
  return new CliError(told, { exitCode, reason, details, cause });
}
