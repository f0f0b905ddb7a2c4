import { setTimeout as delay } from 'node:timers/promises';
import { isKeyDigest } from '../../credential/digest.ts';
import { StoreError } from '../port.ts';
import type { ChangeObserver, StoreObserver, Watch } from '../port.ts';
import { openConnection, retryDelayMs } from './connection.ts';
import type { Connection, RedisAddress } from './connection.ts';
import { CHANGES_FIELD, STORE_FIELD } from './scripts.ts';
import type { KeyNames } from './scripts.ts';

/** How long a read of the stream waits for a change: an idle feed notices within this that its connection is dead. */
const BLOCK_MS = 2_000;
/** How much longer than that a reply may take before the connection is given up. */
const GRACE_MS = 1_000;
const MAX_ENTRIES_PER_READ = 1_000;

export interface FeedOptions extends RedisAddress {
  readonly keys: KeyNames;
  readonly observe: StoreObserver | undefined;
}

/** Where a reader is: in which store, and after which change. */
interface Position {
  readonly store: string | null;
  readonly change: number;
}

/**
 * Reads the change stream on a connection of its own, because a read that waits holds up all that follows it. Changes are
 * numbered without a break, so whatever was missed (the stream was trimmed, flushed, replaced) shows as a jump.
 */
export async function watchChanges(options: FeedOptions, observer: ChangeObserver): Promise<Watch> {
  const closing = new AbortController();
  const started = Promise.withResolvers<void>();
  let position: Position | undefined;
  let isLate = false;
  let state: 'up' | 'down' | undefined;

  function report(next: 'up' | 'down', cause?: StoreError): void {
    if (next !== state) options.observe?.feed(next, cause);
    state = next;
  }

  async function run(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures++) {
      const connection = openConnection(feedConnection(options));
      const close = () => void connection.close();
      closing.signal.addEventListener('abort', close, { once: true });
      try {
        await connection.ready;
        for (;;) {
          await step(connection);
          failures = 0;
        }
      } catch (error) {
        if (!closing.signal.aborted) report('down', error instanceof StoreError ? error : undefined);
      } finally {
        closing.signal.removeEventListener('abort', close);
        await connection.close();
      }
      isLate ||= position === undefined;
      started.resolve();
      await delay(retryDelayMs(failures + 1), undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  async function step(connection: Connection): Promise<void> {
    const end = await readEnd(connection, options.keys);
    position = reposition(end);
    report('up');
    started.resolve();
    const entries = await readEntries(connection, options.keys, position.change);
    // Changes up to `end` were there to be read before the read began.
    if (entries.length === 0 && end.change > position.change) moveTo(end);
    for (const entry of entries) take(entry);
  }

  /** The position to read on from: the one we had, unless it means nothing in the store as it is now. */
  function reposition(end: Position): Position {
    if (position === undefined) {
      if (isLate) observer.gap(); // the watch began while Redis was away
      return end;
    }
    // Where there was no store, the first key made one, whose changes are counted from 1.
    const isSameStore = end.store === position.store || position.store === null;
    const isSame = isSameStore && end.change >= position.change;
    return isSame ? { store: end.store, change: position.change } : moveTo(end);
  }

  function moveTo(end: Position): Position {
    position = end;
    observer.gap();
    return end;
  }

  function take({ change, digest }: Entry): void {
    if (position === undefined) return;
    if (change !== position.change + 1 || !isKeyDigest(digest)) observer.gap();
    position = { ...position, change };
    if (isKeyDigest(digest)) observer.changed(digest);
  }

  const running = run();
  await started.promise;
  return {
    async close() {
      closing.abort();
      await running;
    },
  };
}

function feedConnection({ url, ca, connectTimeoutMs }: FeedOptions) {
  return {
    url,
    ca,
    connectTimeoutMs,
    name: 'keygate-feed',
    commandTimeoutMs: BLOCK_MS + GRACE_MS,
    socketTimeoutMs: BLOCK_MS + GRACE_MS,
  };
}

interface Entry {
  readonly change: number;
  readonly digest: string | undefined;
}

async function readEnd(connection: Connection, keys: KeyNames): Promise<Position> {
  const [store, change] = await connection.run((redis) => redis.hmget(keys.digests, STORE_FIELD, CHANGES_FIELD));
  return { store: store ?? null, change: Number(change ?? 0) };
}

async function readEntries(connection: Connection, keys: KeyNames, after: number): Promise<Entry[]> {
  const streams = await connection.run((redis) =>
    redis.xread('COUNT', MAX_ENTRIES_PER_READ, 'BLOCK', BLOCK_MS, 'STREAMS', keys.changes, `${after}-0`),
  );
  const [, entries] = streams?.[0] ?? [];
  return (entries ?? []).map(([id, fields]) => ({ change: Number.parseInt(id, 10), digest: fields[1] }));
}
