import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { createWitness, ENTRY, newRecord, revoked } from '../support/stores.ts';

const NOW = 1_700_000_000_000;

function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-file-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Runs statements as another program would. */
function execute(path: string, statements: string): void {
  const database = new DatabaseSync(path);
  database.exec(statements);
  database.close();
}

describe('the file of the SQLite key store', { timeout: 60_000 }, () => {
  it('is made with its directory, and only its owner may read it', async (t) => {
    const directory = join(newDirectory(t), 'data');
    const store = createSqliteStore({ path: join(directory, 'keygate.db') });
    t.after(() => store.close());
    await store.insert(newRecord(), NOW, ENTRY);
    const modes = readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777]);
    assert.deepEqual(modes, [
      ['keygate.db', 0o600],
      ['keygate.db-shm', 0o600],
      ['keygate.db-wal', 0o600],
    ]);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  it('keeps its records when it is opened again', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const record = newRecord();
    const before = createSqliteStore({ path });
    await before.insert(record, NOW, ENTRY);
    await before.close();
    const after = createSqliteStore({ path });
    t.after(() => after.close());
    assert.deepEqual(await after.find([record.digest]), record);
  });

  it('gets an audit log, and times of changes, when a Keygate that had none wrote it', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const record = newRecord();
    const before = createSqliteStore({ path });
    await before.insert(record, NOW, ENTRY);
    await before.close();
    execute(path, 'ALTER TABLE changes DROP COLUMN at; DROP TABLE replicas; DROP TABLE questions; DROP TABLE answers');
    execute(path, 'DROP TABLE audit; DROP TRIGGER usage_of_forgotten; DROP TABLE usage; PRAGMA user_version = 1');

    const after = createSqliteStore({ path });
    t.after(() => after.close());
    assert.deepEqual(await after.find([record.digest]), record);
    assert.deepEqual(await after.audit({ limit: 10 }), []);
    await after.replace(revoked(record, NOW), ENTRY);
    assert.deepEqual(await after.audit({ limit: 10 }), [{ cursor: '1', entry: ENTRY }]);
    assert.equal((await after.replicas.changeOf(record.digest))?.number, 2);
  });

  it('is refused, and left as it is, when a newer Keygate wrote it', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    await createSqliteStore({ path }).close();
    execute(path, 'PRAGMA user_version = 1000');
    assert.throws(() => createSqliteStore({ path }), {
      name: 'StoreError',
      fault: 'foreign',
      message: /written by a newer Keygate \(its schema is 1000, this one knows \d+\)\. Update Keygate/,
    });
  });

  it('is refused when it belongs to another program, or is no database', (t) => {
    const directory = newDirectory(t);
    const theirs = join(directory, 'theirs.db');
    execute(theirs, 'CREATE TABLE records (id)');
    assert.throws(() => createSqliteStore({ path: theirs }), { fault: 'foreign', message: /another program/ });
    const text = join(directory, 'notes.txt');
    writeFileSync(text, 'These are notes, and no database at all. '.repeat(100));
    assert.throws(() => createSqliteStore({ path: text }), { fault: 'foreign', message: /is not a database/ });
    assert.throws(() => createSqliteStore({ path: directory }), {
      fault: 'unavailable',
      message: /cannot be used: EISDIR/,
    });
  });

  it('gives no answer about the key whose record cannot be read, and all answers about others', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const store = createSqliteStore({ path });
    t.after(() => store.close());
    const [good, broken] = [newRecord(), newRecord()];
    await store.insert(good, NOW, ENTRY);
    await store.insert(broken, NOW, ENTRY);
    execute(path, `UPDATE records SET json = '{"half' WHERE id = '${broken.id}'`);
    await assert.rejects(store.find([broken.digest]), { fault: 'corrupt', message: /it is not JSON/ });
    assert.deepEqual(await store.find([good.digest]), good);
    assert.deepEqual(await store.list('ingestion'), [good]);
  });

  it('is listed some records at a time, so that other work goes on meanwhile', async (t) => {
    const store = createSqliteStore({ path: join(newDirectory(t), 'keygate.db') });
    t.after(() => store.close());
    const additions = Array.from({ length: 2_000 }, () => ({ record: newRecord(), entry: ENTRY }));
    await store.insertAll(additions, NOW, { dryRun: false });
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    const listed = await store.list('ingestion').finally(() => clearInterval(count));
    assert.equal(new Set(listed.map(({ id }) => id)).size, 2_000);
    assert.ok(turns > 1, 'nothing else was done');
  });

  it('says that a writer was in the way too long', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const store = createSqliteStore({ path, busyTimeoutMs: 10 });
    t.after(() => store.close());
    const record = newRecord();
    await store.insert(record, NOW, ENTRY);
    const writer = new DatabaseSync(path);
    t.after(() => writer.close());
    writer.exec('BEGIN IMMEDIATE');
    await assert.rejects(store.insert(newRecord(), NOW, ENTRY), {
      fault: 'timeout',
      message: /being written to by another process/,
    });
    assert.deepEqual(await store.find([record.digest]), record, 'reading goes on');
    writer.exec('COMMIT');
    assert.equal(await store.insert(newRecord(), NOW, ENTRY), 'inserted');
  });

  it('tells a watch of a gap when changes were trimmed away, or the file was put back to an earlier state', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const store = createSqliteStore({ path, pollMs: 5 });
    t.after(() => store.close());
    await store.insert(newRecord(), NOW, ENTRY);
    const witness = createWitness();
    await store.watch(witness);
    const digest = newRecord().digest;
    execute(path, `INSERT INTO changes (number, digest) VALUES (7, '${digest}')`);
    assert.deepEqual(await witness.until(2), ['gap', digest]);
    execute(path, `DELETE FROM changes; UPDATE sqlite_sequence SET seq = 3 WHERE name = 'changes'`);
    assert.deepEqual((await witness.until(3)).slice(2), ['gap']);
    const next = newRecord();
    await store.insert(next, NOW, ENTRY);
    assert.deepEqual((await witness.until(4)).slice(3), [next.digest]);
  });

  it('keeps a bounded number of changes', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const store = createSqliteStore({ path });
    t.after(() => store.close());
    await store.insert(newRecord(), NOW, ENTRY);
    execute(path, "UPDATE sqlite_sequence SET seq = 10000 WHERE name = 'changes'");
    await store.insert(newRecord(), NOW, ENTRY);
    const database = new DatabaseSync(path, { readOnly: true });
    t.after(() => database.close());
    assert.deepEqual(
      database
        .prepare('SELECT number FROM changes')
        .all()
        .map((row) => row['number']),
      [10_001],
    );
  });

  it('lets one process win each name when several write at once', async (t) => {
    const path = join(newDirectory(t), 'keygate.db');
    const program = `
      const { createSqliteStore } = await import(${JSON.stringify(import.meta.resolve('../../src/store/sqlite/store.ts'))});
      const { ENTRY, newRecord } = await import(${JSON.stringify(import.meta.resolve('../support/stores.ts'))});
      const store = createSqliteStore({ path: ${JSON.stringify(path)}, busyTimeoutMs: 5000 });
      let won = 0;
      for (let i = 0; i < 50; i++) {
        if ((await store.insert(newRecord({ name: 'name ' + i }), ${NOW}, ENTRY)) === 'inserted') won++;
      }
      await store.close();
      console.log(won);
    `;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
    const results = await Promise.all([run(), run(), run()]);
    assert.equal(
      results.map(({ stdout }) => Number(stdout)).reduce((sum, won) => sum + won, 0),
      50,
    );
    assert.deepEqual(
      results.map(({ stderr }) => stderr),
      ['', '', ''],
      'no warnings either',
    );
    const store = createSqliteStore({ path });
    t.after(() => store.close());
    assert.equal((await store.list('ingestion')).length, 50);
  });
});
