import { setTimeout as delay } from 'node:timers/promises';
import { isKeyDigest } from '../../credential/digest.ts';
import { StoreError } from '../port.ts';
import type { ChangeObserver, FeedPosition, StoreObserver, Watch } from '../port.ts';
import { openConnection, retryDelayMs } from './connection.ts';
import type { Connection, RedisAddress } from './connection.ts';
import type { ServerFacts } from './connector.ts';
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
  /** Where to read on from; the end if not given. */
  readonly from?: FeedPosition | undefined;
  /** Hears the name of the history of writes when the feed finds itself in another one than before. */
  readonly moved?: (history: string | undefined) => void;
}

/**
 * Reads the change stream on a connection of its own, because a read that waits holds up all that follows it. Changes are
 * numbered without a break, so whatever was missed (the stream was trimmed, flushed, replaced) shows as a jump. Questions
 * to all gateways come by the same read; those put while nobody listened are left to others.
 */
export async function watchChanges(options: FeedOptions, observer: ChangeObserver): Promise<Watch> {
  const closing = new AbortController();
  const started = Promise.withResolvers<void>();
  let position: FeedPosition | undefined = options.from;
  let toldPosition: FeedPosition | undefined;
  /** The change that makes the feed current: the last one there was when the connection was made. */
  let goal: number | undefined;
  let isLate = false;
  /** The server's history of writes that the position is in. */
  let history = options.from?.history;
  let hasMet = history !== undefined;
  let isOtherHistory = false;
  let state: 'up' | 'down' | undefined;

  function report(next: 'up' | 'down', cause?: StoreError): void {
    if (next !== state) options.observe?.feed(next, cause);
    state = next;
  }

  async function run(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures++) {
      const connection = openConnection({ ...feedConnection(options), met });
      const close = () => void connection.close();
      closing.signal.addEventListener('abort', close, { once: true });
      goal = undefined;
      try {
        await connection.ready;
        let lastQuestion = await readLastQuestion(connection, options.keys);
        for (;;) {
          lastQuestion = await step(connection, lastQuestion);
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

  /** After a failover to a replica that lagged, changes we have seen are lost, and others have their numbers. */
  function met(facts: ServerFacts): void {
    const isOther = hasMet && (facts.history === undefined || facts.history !== history);
    hasMet = true;
    history = facts.history;
    isOtherHistory ||= isOther;
    if (isOther) options.moved?.(history);
  }

  /** Returns the id of the last question, to go on from. */
  async function step(connection: Connection, lastQuestion: string): Promise<string> {
    const askedAt = performance.now();
    const end = await readEnd(connection, options.keys);
    position = reposition(end);
    goal ??= end.change;
    tell([]);
    if (position.change === end.change) observer.current?.(performance.now() - askedAt);
    // Before the wait: there may be nothing to read.
    const isCurrent = reportIfCurrent();
    const after = { change: position.change, question: lastQuestion };
    const { changes, questions } = await readEntries(connection, options.keys, after, isCurrent ? BLOCK_MS : 1);
    // Changes up to `end` were there to be read before the read began.
    if (changes.length === 0 && end.change > position.change) moveTo(end);
    for (const change of changes) take(change);
    tell(changes.flatMap(({ madeAt }) => madeAt ?? []));
    reportIfCurrent();
    for (const { id, text } of questions) observer.asked?.(id, text);
    return questions.at(-1)?.id ?? lastQuestion;
  }

  function tell(madeAt: readonly number[]): void {
    if (position === undefined || position === toldPosition) return;
    if (position.change !== toldPosition?.change || position.store !== toldPosition.store) {
      observer.applied?.({ ...position, history }, madeAt);
    }
    toldPosition = position;
  }

  function reportIfCurrent(): boolean {
    if (position === undefined || goal === undefined || position.change < goal) return false;
    report('up');
    started.resolve();
    return true;
  }

  /** The position to read on from: the one we had, unless it means nothing in the store as it is now. */
  function reposition(end: FeedPosition): FeedPosition {
    if (position === undefined) {
      if (isLate) observer.gap(); // the watch began while Redis was away
      return end;
    }
    // Where there was no store, the first key made one, whose changes are counted from 1.
    const isSameStore = end.store === position.store || position.store === null;
    const isSame = isSameStore && end.change >= position.change;
    if (!isSame) return moveTo(end);
    if (isOtherHistory) observer.gap();
    isOtherHistory = false;
    return { store: end.store, change: position.change };
  }

  function moveTo(end: FeedPosition): FeedPosition {
    position = end;
    goal = end.change;
    isOtherHistory = false;
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
    isCurrent: () => state === 'up',
    async close() {
      closing.abort();
      await running;
    },
  };
}

function feedConnection({ server, prefix, connectTimeoutMs }: FeedOptions) {
  return {
    server,
    prefix,
    connectTimeoutMs,
    name: 'keygate-feed',
    commandTimeoutMs: BLOCK_MS + GRACE_MS,
    socketTimeoutMs: BLOCK_MS + GRACE_MS,
  };
}

interface Entry {
  readonly change: number;
  readonly digest: string | undefined;
  readonly madeAt: number | undefined;
}

interface Question {
  readonly id: string;
  readonly text: string;
}

async function readEnd(connection: Connection, keys: KeyNames): Promise<FeedPosition> {
  const [store, change] = await connection.run((redis) => redis.hmget(keys.digests, STORE_FIELD, CHANGES_FIELD));
  return { store: store ?? null, change: Number(change ?? 0) };
}

async function readLastQuestion(connection: Connection, keys: KeyNames): Promise<string> {
  const [last] = await connection.run((redis) => redis.xrevrange(keys.questions, '+', '-', 'COUNT', 1));
  return last?.[0] ?? '0-0';
}

async function readEntries(
  connection: Connection,
  keys: KeyNames,
  after: { readonly change: number; readonly question: string },
  blockMs: number,
): Promise<{ readonly changes: readonly Entry[]; readonly questions: readonly Question[] }> {
  const streams = await connection.run((redis) =>
    redis.xread(
      'COUNT',
      MAX_ENTRIES_PER_READ,
      'BLOCK',
      blockMs,
      'STREAMS',
      keys.changes,
      keys.questions,
      `${after.change}-0`,
      after.question,
    ),
  );
  const entriesOf = (key: string) => streams?.find(([name]) => name === key)?.[1] ?? [];
  return {
    changes: entriesOf(keys.changes).map(([id, [, digest, , madeAt]]) => ({
      change: Number.parseInt(id, 10),
      digest,
      // Versions before this one wrote no time.
      madeAt: madeAt === undefined ? undefined : Number(madeAt),
    })),
    questions: entriesOf(keys.questions).map(([id, [, text = '']]) => ({ id, text })),
  };
}
