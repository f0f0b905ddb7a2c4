import type { DatabaseSync } from 'node:sqlite';
import { isKeyDigest } from '../../credential/digest.ts';
import type { ChangeObserver, FeedPosition, StoreObserver, Watch } from '../port.ts';
import { toStoreError } from './faults.ts';

/** How many changes are kept for readers that lag; who lags further has a gap. */
export const MAX_CHANGES = 10_000;

export interface Feed {
  watch(observer: ChangeObserver, from?: FeedPosition): Watch;
  /** To be called after each write of our own: `data_version` tells only those of other connections. */
  wrote(): void;
  close(): void;
}

export interface FeedOptions {
  readonly database: DatabaseSync;
  readonly path: string;
  readonly pollMs: number;
  readonly observe: StoreObserver | undefined;
}

interface Reader {
  readonly observer: ChangeObserver;
  cursor: number;
  /** The last question it has heard. */
  question: number;
}

/** Reads the change table, and the questions to all gateways, whenever the database was written to, by us or by another process. */
export function createFeed({ database, path, pollMs, observe }: FeedOptions): Feed {
  const readVersion = database.prepare('PRAGMA data_version');
  const readLast = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'changes'");
  const readChanges = database.prepare('SELECT number, digest, at FROM changes WHERE number > ? ORDER BY number');
  const readQuestions = database.prepare('SELECT number, text FROM questions WHERE number > ? ORDER BY number');
  const readLastQuestion = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'questions'");
  const readers = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;
  let version: unknown;
  let isUp = false;

  function poll(): void {
    try {
      const current = readVersion.get()?.['data_version'];
      if (current !== version) {
        readers.forEach(catchUp);
        version = current; // only now: a failed attempt is repeated at the next poll
      }
      for (const { observer } of readers) observer.current?.(0);
      if (!isUp) observe?.feed('up');
      isUp = true;
    } catch (error) {
      if (isUp) observe?.feed('down', toStoreError(error, path));
      isUp = false;
    }
  }

  function catchUp(reader: Reader): void {
    const before = reader.cursor;
    // A database that was put back to an earlier state has a last change before our cursor.
    if (last() < reader.cursor) {
      reader.cursor = last();
      reader.observer.gap();
    }
    const madeAt: number[] = [];
    for (const { number, digest, at } of readChanges.all(reader.cursor)) {
      const isNext = number === reader.cursor + 1;
      reader.cursor = Number(number);
      if (!isNext || !isKeyDigest(digest)) reader.observer.gap();
      if (isKeyDigest(digest)) reader.observer.changed(digest);
      if (at !== null) madeAt.push(Number(at));
    }
    if (reader.cursor !== before) tell(reader, madeAt);
    for (const { number, text } of readQuestions.all(reader.question)) {
      reader.question = Number(number);
      reader.observer.asked?.(String(number), String(text));
    }
  }

  function tell({ observer, cursor }: Reader, madeAt: readonly number[]): void {
    observer.applied?.({ store: null, change: cursor }, madeAt);
  }

  function last(): number {
    return Number(readLast.get()?.['seq'] ?? 0);
  }

  return {
    watch(observer, from) {
      // Positions are of stores on other machines: this one is here whenever the gateway is, and read anew.
      if (from !== undefined) observer.gap();
      const reader: Reader = { observer, cursor: last(), question: Number(readLastQuestion.get()?.['seq'] ?? 0) };
      readers.add(reader);
      tell(reader, []);
      // A feed must not keep the process alive.
      timer ??= setInterval(poll, pollMs).unref();
      poll();
      return {
        isCurrent: () => isUp,
        close: async () => {
          readers.delete(reader);
          if (readers.size === 0) stop();
        },
      };
    },
    wrote() {
      version = undefined;
      if (readers.size > 0) poll();
    },
    close: stop,
  };

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    readers.clear();
  }
}
