import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../port.ts';
import { toStoreError } from './faults.ts';

/** Several processes may start at once, and nothing is served yet. */
const OPEN_TIMEOUT_MS = 2_000;
/** "KGAT", in the file's header: tells our databases from those of other programs. */
const APPLICATION_ID = 0x4b_47_41_54;

/** Microseconds, by the clock of the machine, as SQLite reads it. */
export const STORE_TIME = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/**
 * What each schema added to the one before; a step that was released never changes.
 *
 * 1: `died_at` and `state` repeat what the record says, for the queries that need them. AUTOINCREMENT keeps the numbers
 *    of changes unbroken and never used twice, so that a reader can tell that it missed one.
 * 2: the audit log. AUTOINCREMENT, so that a place in the log never means two entries.
 * 3: when each change was made; the gateways that share the file, and what they are asked.
 * 4: pages are read by name and id.
 * 5: the use of keys, which is forgotten with them.
 */
const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE records (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    died_at INTEGER,
    revision INTEGER NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX records_by_name ON records (kind, name);
  CREATE INDEX records_by_death ON records (died_at) WHERE died_at IS NOT NULL;
  CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
`,
  `
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_key ON audit (key_id, number);
`,
  `
  ALTER TABLE changes ADD COLUMN at INTEGER;
  CREATE TABLE replicas (
    id TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL,
    applied_at INTEGER NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE TABLE questions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE TABLE answers (
    question INTEGER NOT NULL,
    replica TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (question, replica)
  ) STRICT;
`,
  `
  DROP INDEX records_by_name;
  CREATE INDEX records_by_name ON records (kind, name, id);
`,
  `
  CREATE TABLE usage (
    id TEXT PRIMARY KEY,
    usage TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER usage_of_forgotten AFTER DELETE ON records BEGIN
    DELETE FROM usage WHERE id = OLD.id;
  END;
`,
];
const SCHEMA_VERSION = SCHEMA_STEPS.length;

/**
 * Opens the database, and creates it if it is not there; throws a StoreError if it is not ours or too new.
 *
 * WAL lets the gateway read while the CLI writes. synchronous is FULL: writes are rare and made by people, and neither a
 * key that was shown once nor a revocation may be undone by a power cut. node:sqlite is synchronous, so waiting for
 * another writer stalls the process: `busyTimeoutMs` is short, and only writes ever wait.
 */
export function openDatabase(path: string, busyTimeoutMs: number): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    createPrivateFile(path);
    database = new DatabaseSync(path, { timeout: OPEN_TIMEOUT_MS });
    if (database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'] !== 'wal') {
      throw new StoreError(
        'unavailable',
        `The key store ${path} cannot use write-ahead logging: put it on a local disk.`,
      );
    }
    database.exec('PRAGMA synchronous = FULL');
    transaction(database, (db) => prepareSchema(db, path));
    database.exec(`PRAGMA busy_timeout = ${Math.trunc(busyTimeoutMs)}`);
    return database;
  } catch (error) {
    database?.close();
    throw toStoreError(error, path);
  }
}

/** Runs the steps as one transaction that excludes other writers from its start. */
export function transaction<T>(database: DatabaseSync, steps: (database: DatabaseSync) => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = steps(database);
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite itself rolls back on some faults, such as a full disk.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/**
 * A transaction that waits for nobody: it fails if another writer is at work, and leaves it to the system when the disk
 * hears of it. For what is written often, may be lost in a power cut, and can be tried again.
 */
export function lightTransaction(database: DatabaseSync, steps: () => void): void {
  const patience = Number(database.prepare('PRAGMA busy_timeout').get()?.['timeout']);
  database.exec('PRAGMA busy_timeout = 0; PRAGMA synchronous = NORMAL');
  try {
    transaction(database, steps);
  } finally {
    database.exec(`PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${patience}`);
  }
}

/** SQLite gives its side files the mode of the database, so all of them are the owner's only. */
function createPrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

function prepareSchema(database: DatabaseSync, path: string): void {
  const version = readPragma(database, 'user_version');
  const isOurs = readPragma(database, 'application_id') === APPLICATION_ID;
  const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (!isOurs && !isEmpty) {
    throw new StoreError(
      'foreign',
      `${path} is the database of another program. Set store.sqlite.path to another file.`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      'foreign',
      `The key store ${path} was written by a newer Keygate (its schema is ${version}, this one knows ${SCHEMA_VERSION}). ` +
        'Update Keygate, or set store.sqlite.path to another file.',
    );
  }
  if (version === SCHEMA_VERSION) return;
  for (const step of SCHEMA_STEPS.slice(isEmpty ? 0 : version)) database.exec(step);
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
}

function readPragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
