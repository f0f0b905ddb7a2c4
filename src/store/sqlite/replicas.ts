import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import {
  CHANGES_LOOKED_AT,
  FORGET_QUESTION_AFTER_S,
  FORGET_REPLICA_AFTER_S,
  MAX_ANSWERS,
  MAX_QUESTIONS,
} from '../replica-port.ts';
import type { ReplicaState, ReplicaStore } from '../replica-port.ts';
import { readReplica, writeReplica } from '../replica-json.ts';
import { STORE_TIME } from './database.ts';

export interface SqliteReplicasOptions {
  /** That of the store: it exists by now, with its tables. */
  readonly path: string;
  /** Runs the work, or refuses to. */
  readonly use: <T>(work: () => T) => Promise<T>;
}

export interface SqliteReplicas extends ReplicaStore {
  close(): void;
}

interface Statements {
  readonly database: DatabaseSync;
  readonly run: (sql: string, ...values: (string | number)[]) => void;
  readonly all: (sql: string, ...values: (string | number)[]) => ReturnType<StatementSync['all']>;
}

/**
 * Gateways that share a file. They write on a connection of their own that leaves it to the system when the disk hears of
 * it: what a power cut takes back concerns processes that it has ended. A writer that is busy is not waited for either,
 * as waiting stalls the process; the next beat tells the same.
 */
export function createSqliteReplicas({ path, use }: SqliteReplicasOptions): SqliteReplicas {
  let opened: Statements | undefined;

  function statements(): Statements {
    opened ??= openStatements(path);
    return opened;
  }

  function now(): number {
    return Number(statements().all(`SELECT ${STORE_TIME} AS now`)[0]?.['now']);
  }

  function strikeOff(nowUs: number): void {
    statements().run('DELETE FROM replicas WHERE seen_at < ?', nowUs - FORGET_REPLICA_AFTER_S * 1_000_000);
  }

  return {
    // Each beat is a write to the file, and a look into it by all that have it open.
    beatMs: 5_000,
    liveForMs: 15_000,

    acknowledge: (acknowledgement) =>
      use(() => {
        const { id, appliedAt } = acknowledgement;
        const { run, all } = statements();
        const nowUs = now();
        if (all('SELECT 1 FROM replicas WHERE id = ?', id).length === 0) strikeOff(nowUs);
        run(
          'INSERT INTO replicas (id, seen_at, applied_at, json) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET' +
            ' seen_at = excluded.seen_at, applied_at = excluded.applied_at, json = excluded.json',
          id,
          nowUs,
          appliedAt ?? nowUs,
          writeReplica(acknowledgement),
        );
        return nowUs;
      }),

    leave: (id) => use(() => statements().run('DELETE FROM replicas WHERE id = ?', id)),

    replicas: () =>
      use(() => {
        const { all } = statements();
        const replicas: ReplicaState[] = [];
        for (const row of all('SELECT id, seen_at, applied_at, json FROM replicas')) {
          const stamps = { seenAt: Number(row['seen_at']), appliedAt: Number(row['applied_at']) };
          const replica = readReplica(String(row['id']), String(row['json']), stamps, null);
          if (replica !== undefined) replicas.push(replica);
        }
        const [last] = all("SELECT seq FROM sqlite_sequence WHERE name = 'changes'");
        return { now: now(), lastChange: Number(last?.['seq'] ?? 0), replicas };
      }),

    changeOf: (digest) =>
      use(() => {
        const rows = statements().all(
          'SELECT number, at FROM (SELECT number, digest, at FROM changes ORDER BY number DESC LIMIT ?) WHERE digest = ?' +
            ' ORDER BY number DESC LIMIT 1',
          CHANGES_LOOKED_AT,
          digest,
        );
        const { number, at } = rows[0] ?? {};
        return number === undefined || at === null ? undefined : { number: Number(number), madeAt: Number(at) };
      }),

    ask: (question) =>
      use(() => {
        const { run, all } = statements();
        const oldest = now() - FORGET_QUESTION_AFTER_S * 1_000_000;
        run(`INSERT INTO questions (at, text) VALUES (${STORE_TIME}, ?)`, question);
        const number = Number(all('SELECT max(number) AS number FROM questions')[0]?.['number']);
        run('DELETE FROM questions WHERE at < ? OR number <= ?', oldest, number - MAX_QUESTIONS);
        run('DELETE FROM answers WHERE question NOT IN (SELECT number FROM questions)');
        return String(number);
      }),

    answer: (questionId, replicaId, answer) =>
      use(() =>
        statements().run(
          'INSERT OR REPLACE INTO answers (question, replica, text) SELECT number, ?, ? FROM questions WHERE number = ?' +
            ` AND (SELECT count(*) FROM answers WHERE question = number) < ${MAX_ANSWERS}`,
          replicaId,
          answer,
          Number(questionId),
        ),
      ),

    answers: (questionId) =>
      use(() => {
        const rows = statements().all('SELECT replica, text FROM answers WHERE question = ?', Number(questionId));
        return new Map(rows.map(({ replica, text }) => [String(replica), String(text)]));
      }),

    close() {
      opened?.database.close();
      opened = undefined;
    },
  };
}

/** Opened when it is first needed: a command that only lists keys needs none of it. */
function openStatements(path: string): Statements {
  const database = new DatabaseSync(path, { timeout: 0 });
  database.exec('PRAGMA synchronous = NORMAL');
  const prepared = new Map<string, StatementSync>();
  function prepare(sql: string): StatementSync {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  }
  return {
    database,
    run: (sql, ...values) => void prepare(sql).run(...values),
    all: (sql, ...values) => prepare(sql).all(...values),
  };
}
