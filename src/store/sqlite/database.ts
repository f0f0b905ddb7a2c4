import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../port.ts';
import { toStoreError } from './faults.ts';

const SCHEMA_VERSION = 2;
/** Several processes may start at once, and nothing is served yet. */
const OPEN_TIMEOUT_MS = 2_000;
/** "KGAT", in the file's header: tells our databases from those of other programs. */
const APPLICATION_ID = 0x4b_47_41_54;

/** What came with schema 2. AUTOINCREMENT, so that a place in the log never means two entries. */
const AUDIT_SCHEMA = `
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_key ON audit (key_id, number);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * `died_at` and `state` repeat what the record says, for the queries that need them. AUTOINCREMENT keeps the numbers of
 * changes unbroken and never used twice, so that a reader can tell that it missed one.
 */
const SCHEMA = `
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
  ${AUDIT_SCHEMA}
`;

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
  if (isEmpty) database.exec(SCHEMA);
  else if (version === 1) database.exec(AUDIT_SCHEMA);
}

function readPragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
