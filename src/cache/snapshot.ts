import type { FeedPosition } from '../store/port.ts';
import type { KeyCache, RememberedKey } from './key-cache.ts';
import { readSnapshotFile, writeSnapshotFile } from './snapshot-file.ts';
import type { SnapshotFault } from './snapshot-file.ts';

export interface SnapshotOptions {
  readonly path: string;
  readonly secret: string;
  /** How often it is written when something in memory has changed, or it gets old. */
  readonly intervalMs: number;
  /** Which configured store the keys are of; a file of another one is refused. */
  readonly origin: string;
  readonly maxKeys: number;
  readonly staleForMs: number;
  readonly cache: Pick<KeyCache, 'remembered' | 'restore' | 'revision'>;
  /** Milliseconds since the epoch: the age of a key must outlast the process. */
  readonly now: () => number;
  readonly observe: SnapshotObserver;
}

export type LoadOutcome = 'loaded' | 'absent' | 'foreign' | 'old' | SnapshotFault;

export interface SnapshotObserver {
  /** `problem` says why the file was refused, and what to do. */
  loaded(outcome: LoadOutcome, keys: number, problem?: string): void;
  written(keys: number, seconds: number): void;
  failed(error: Error): void;
}

/** Keeps known keys on disk, so that a gateway that starts while its store is away serves them all the same. */
export interface CacheSnapshot {
  /** Puts the keys of the file into the cache; gives where the feed has to go on from, if they are to be trusted. */
  load(): Promise<FeedPosition | undefined>;
  /** All changes up to this position are in the cache: what is on disk is to follow soon. */
  applied(position: FeedPosition): void;
  start(): void;
  /** Writes what has changed since the last time, waiting for it no longer than a few seconds. */
  flush(): Promise<void>;
  stop(): void;
}

const SOON_MS = 500;
/** So many times as long as a write took there is a pause: in a storm of changes, writing takes a tenth of the time. */
const REST_FACTOR = 9;
const FLUSH_TIMEOUT_MS = 5_000;
/** Keys that did not change are confirmed by the feed all the time; the file is to say so before they look old in it. */
const MAX_AGE_DIVISOR = 4;
/** How far the clock may be behind what it was when the file was written. */
const CLOCK_SLACK_MS = 60_000;

export function createCacheSnapshot(options: SnapshotOptions): CacheSnapshot {
  const { path, secret, intervalMs, origin, cache, staleForMs, now, observe } = options;
  let position: FeedPosition | undefined;
  /** The store whose keys the file is for; one that took its place does not get to overwrite them. */
  let ourStore: string | undefined;
  let written: { readonly revision: number; readonly change: number; readonly at: number } | undefined;
  let writing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let isSoon = false;
  let isStarted = false;
  let restMs = 0;

  async function load(): Promise<FeedPosition | undefined> {
    const reading = await readSnapshotFile(path, secret, options.maxKeys);
    if (reading.outcome !== 'read') {
      observe.loaded(reading.outcome, 0, 'problem' in reading ? reading.problem : undefined);
      return undefined;
    }
    const { snapshot } = reading;
    const ageMs = now() - snapshot.writtenAt;
    if (snapshot.origin !== origin) {
      observe.loaded('foreign', 0, 'The file is of another store than the configured one. Give each its own path.');
      return undefined;
    }
    if (ageMs >= staleForMs || ageMs < -CLOCK_SLACK_MS) {
      observe.loaded('old', 0, 'The file is older than cache.staleFor, or the clock is wrong. It is replaced in time.');
      return undefined;
    }
    const keys = snapshot.keys.map(({ record, checkedAt }): RememberedKey => ({
      record,
      ageMs: Math.max(0, now() - checkedAt),
    }));
    const count = cache.restore(keys);
    position = snapshot.position;
    ourStore = snapshot.position.store;
    written = { revision: cache.revision(), change: position.change, at: snapshot.writtenAt };
    observe.loaded('loaded', count);
    return position;
  }

  function plan(inMs: number, soon: boolean): void {
    clearTimeout(timer);
    isSoon = soon;
    timer = setTimeout(() => void writeAndPlan(), Math.max(inMs, restMs)).unref();
  }

  async function writeAndPlan(): Promise<void> {
    timer = undefined;
    isSoon = false;
    await write();
    if (timer === undefined && isStarted) plan(intervalMs, false);
  }

  /** One after the other. */
  function write(): Promise<void> {
    writing = writing.then(writeIfChanged);
    return writing;
  }

  async function writeIfChanged(): Promise<void> {
    if (position === undefined || position.store === null) return;
    const { store, change, history } = position;
    ourStore ??= store;
    const revision = cache.revision();
    const writtenAt = now();
    const isWritten = written?.revision === revision && written.change === change;
    const isYoung = written !== undefined && writtenAt - written.at < staleForMs / MAX_AGE_DIVISOR;
    if (store !== ourStore || (isWritten && isYoung)) return;
    const keys = cache.remembered().map(({ record, ageMs }) => ({ record, checkedAt: writtenAt - ageMs }));
    const startedAt = performance.now();
    try {
      await writeSnapshotFile(path, secret, { origin, position: { store, change, history }, writtenAt, keys });
      written = { revision, change, at: writtenAt };
      observe.written(keys.length, (performance.now() - startedAt) / 1_000);
    } catch (error) {
      observe.failed(error instanceof Error ? error : new Error(String(error)));
    }
    restMs = (performance.now() - startedAt) * REST_FACTOR;
  }

  return {
    load,
    applied(next) {
      position = next;
      if (isStarted && !isSoon) plan(SOON_MS, true);
    },
    start() {
      isStarted = true;
      plan(SOON_MS, true);
    },
    async flush() {
      let late: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => (late = setTimeout(resolve, FLUSH_TIMEOUT_MS)));
      await Promise.race([write(), deadline]);
      clearTimeout(late);
    },
    stop() {
      isStarted = false;
      clearTimeout(timer);
    },
  };
}
