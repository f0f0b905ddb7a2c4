import type { Socket } from 'node:net';
import { setImmediate as letOthersRun } from 'node:timers/promises';
import { isAuthzPort } from './authorizer/authorizer.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import type { KeyDigest } from './credential/digest.ts';
import { createFront } from './front.ts';
import type { Front } from './front.ts';
import { createKnownKeys } from './known-keys.ts';
import type { KnownKeys } from './known-keys.ts';
import type { Port } from './plane/plane.ts';
import { createReloader, readOnce } from './reload.ts';
import type { Refused, Take } from './reload.ts';
import { readFigures } from './telemetry/figures.ts';
import { createKeyTallies } from './telemetry/key-tallies.ts';
import type { Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createObserving } from './telemetry/observing.ts';
import { TOLD_SOURCES, toTold } from './traffic/merged.ts';
import { VERSION } from './version.ts';
import type { Assignment, News, ToOffice } from './workers/messages.ts';
import { noneOpen } from './workers/spread.ts';

/** One of the processes that serve senders, for an office that hands it their connections. */
export interface Worker {
  start(): Promise<void>;
  accept(port: Port, socket: Socket): void;
  hear(news: News): void;
  /** Tells the office all that it has counted. */
  tell(): Promise<void>;
  /** Reads and judges another configuration, of which nothing holds yet; says why it cannot be used, if so. */
  prepare(next: Config): string | undefined;
  /** Has the one that was prepared last hold. Throws if it cannot be used: the other workers hold it. */
  take(): void;
  /** Says to those who ask about health that it will go. */
  leave(): void;
  /** Finishes what is in flight, then closes everything. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/**
 * How long what happens here is not known at the other workers: so long a key may be let through by each of them with its whole
 * burst. It is paid back then.
 */
const NEWS_INTERVAL_MS = 50;
/** Of anything, so many are told in one message. */
const PIECE = 1_000;

/** The composition root of a worker: what it knows of keys, and what senders meet. */
export async function createWorker(
  { config, name, workers }: Assignment,
  log: Log,
  say: (message: ToOffice) => void,
  clock: Clock = SYSTEM_CLOCK,
): Promise<Worker> {
  const read = readOnce();
  const metrics = createMetrics({
    version: VERSION,
    cacheSizes: () => known.cache.sizes(),
    refusedSources: () => [], // the office tells those of all
    heldBytes: () => front.plane.heldBytes(),
  });
  const hasSnapshot = config.cache.snapshot !== null;
  let found = new Set<KeyDigest>();
  const known: KnownKeys = createKnownKeys({
    config,
    log,
    metrics,
    clock,
    name,
    processes: workers,
    judge: async (text) => (await front.gate.judgeKey(text, { to: 'ask' })).decision,
    writesSnapshot: false,
    found(digest) {
      if (hasSnapshot) found.add(digest);
    },
  });
  let isLeaving = false;
  const keyTallies = createKeyTallies(config.ops.keySeries);
  const front: Front = await createFront({
    config,
    read,
    log,
    metrics,
    clock,
    known,
    noteKey: keyTallies.note,
    observe: createObserving,
    processes: workers,
    notReady: () => (isLeaving ? 'draining' : known.notReady()),
  });
  const reloader = createReloader({ config, read, parts: [known.prepare, front.prepare] });
  let prepared: Take | Refused | undefined;

  function shareNews(): void {
    for (const spent of inPieces(front.budgets.takeSpent())) say({ kind: 'news', spent, worked: [] });
    for (const worked of inPieces(front.traffic.takeWorked())) say({ kind: 'news', spent: [], worked });
    for (const digests of inPieces([...found])) say({ kind: 'found', digests });
    found = new Set();
  }

  /** Of each port, those that have not been told yet. */
  let closed = noneOpen();
  let isTelling = false;
  function noteClosed(port: Port): void {
    if (!isTelling) setImmediate(tellClosed);
    isTelling = true;
    closed[port] += 1;
  }
  function tellClosed(): void {
    isTelling = false;
    for (const [port, connections] of Object.entries(closed)) {
      if (connections > 0) say({ kind: 'closed', port: port as Port, connections });
    }
    closed = noneOpen();
  }

  async function tell(): Promise<void> {
    for (const used of keyTallies.take()) {
      say({ kind: 'keys', used });
      await letOthersRun();
    }
    const traffic = toTold(front.traffic.look(TOLD_SOURCES));
    say({ kind: 'figures', figures: await readFigures(metrics.registry), traffic });
  }

  let news: NodeJS.Timeout | undefined;
  async function close(): Promise<void> {
    clearInterval(news);
    await front.close();
    await known.close();
  }

  return {
    async start() {
      await known.open();
      known.join();
      news = setInterval(shareNews, NEWS_INTERVAL_MS).unref();
      say({ kind: 'serving' });
    },
    accept(port, socket) {
      socket.once('close', () => noteClosed(port));
      say({ kind: 'taken' });
      if (isAuthzPort(port)) front.authorizer.accept(port, socket);
      else front.plane.accept(port, socket);
    },
    hear({ spent, worked }) {
      front.budgets.spentElsewhere(spent);
      front.traffic.workedElsewhere(worked);
    },
    tell,
    prepare(next) {
      prepared = reloader.prepare(next);
      return typeof prepared === 'function' ? undefined : prepared.cause;
    },
    take() {
      if (typeof prepared !== 'function') throw new Error(prepared?.cause ?? 'no configuration was prepared');
      prepared();
      prepared = undefined;
    },
    leave: () => void (isLeaving = true),
    async drain() {
      isLeaving = true;
      metrics.draining.set(1);
      await front.drain(reloader.current().limits.drainTimeout);
      shareNews();
      await tell();
      await close();
    },
    close,
  };
}

function* inPieces<T>(list: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < list.length; i += PIECE) yield list.slice(i, i + PIECE);
}
