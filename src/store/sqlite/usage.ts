import type { DatabaseSync } from 'node:sqlite';
import type { KeyUsage, UsageStore } from '../usage-port.ts';
import { addUsage, readUsage, writeUsage } from '../usage-text.ts';
import { lightTransaction } from './database.ts';

export interface SqliteUsageOptions {
  readonly database: DatabaseSync;
  /** Runs the work, or refuses to. */
  readonly use: <T>(work: () => T) => Promise<T>;
}

const IDS_PER_READ = 500;

/** The use of keys, in a table beside their records. */
export function createSqliteUsage({ database, use }: SqliteUsageOptions): UsageStore {
  const ofKey = database.prepare('SELECT usage FROM usage WHERE id = ?');
  const put = database.prepare(
    'INSERT INTO usage (id, usage) SELECT id, ? FROM records WHERE id = ?' +
      ' ON CONFLICT (id) DO UPDATE SET usage = excluded.usage',
  );

  function read(id: string): KeyUsage | undefined {
    const row = ofKey.get(id);
    return row && readUsage(String(row['usage']));
  }

  return {
    record: (uses) =>
      use(() =>
        lightTransaction(database, () => {
          for (const { id, ...usage } of uses) {
            const known = read(id);
            put.run(writeUsage(known === undefined ? usage : addUsage(known, usage)), id);
          }
        }),
      ),

    async read(ids) {
      const found = new Map<string, KeyUsage>();
      for (let i = 0; i < ids.length; i += IDS_PER_READ) {
        await use(() => {
          for (const id of ids.slice(i, i + IDS_PER_READ)) {
            const usage = read(id);
            if (usage !== undefined) found.set(id, usage);
          }
        });
      }
      return found;
    },
  };
}
