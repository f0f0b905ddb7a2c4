import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import type { LoadResult } from '../config/load.ts';
import type { ReadFile } from '../config/yaml-file.ts';
import { ConfigFiles } from './config-files.ts';

export interface ConfigWatchOptions {
  /** What the configuration that holds was read with. */
  readonly files: ConfigFiles;
  /** Reads the configuration anew, every file of it with this. */
  readonly load: (readFile: ReadFile) => LoadResult;
  /** Takes what was read. The next one waits until it is done; never rejects. */
  readonly loaded: (result: LoadResult) => Promise<void>;
}

export interface ConfigWatch {
  /** Reads it anew now, whether or not a file has changed. */
  reload(): void;
  stop(): void;
}

/** Files that belong together, such as a certificate and its key, are replaced one after the other. */
const SETTLE_MS = 300;
/** There is always something written somewhere in such a directory: it is looked into all the same. */
const MAX_SETTLE_MS = 2_000;
/** Of changes on network file systems nobody is told, and watching may fail. */
const POLL_MS = 10_000;
/** The files of others are noticed when they are polled. */
const MAX_DIRECTORIES = 64;

type Wanted = 'nothing' | 'check' | 'reload';

/** Notices when a file of the configuration has changed, and has it read anew: one at a time, and all of it. */
export function watchConfig({ files: first, load, loaded }: ConfigWatchOptions): ConfigWatch {
  let files = first;
  let watchers: FSWatcher[] = [];
  let settling: NodeJS.Timeout | undefined;
  let noticedAtMs: number | undefined;
  let wanted: Wanted = 'nothing';
  let isWorking = false;
  let isStopped = false;

  /** What is asked for meanwhile is done once, after what is being done. */
  async function work(what: 'check' | 'reload'): Promise<void> {
    if (wanted !== 'reload') wanted = what;
    if (isWorking) return;
    isWorking = true;
    for (let next = take(); next !== 'nothing'; next = take()) {
      if (next === 'reload' || (await files.haveChanged())) await readAnew();
    }
    isWorking = false;
  }

  function take(): Wanted {
    const next = isStopped ? 'nothing' : wanted;
    wanted = 'nothing';
    return next;
  }

  async function readAnew(): Promise<void> {
    if (files.readOnce !== undefined) return loaded(refusalOf(files.readOnce));
    files = new ConfigFiles();
    const result = load(files.read);
    watchAll();
    await loaded(result);
  }

  function watchAll(): void {
    for (const watcher of watchers) watcher.close();
    watchers = [...files.directories].slice(0, MAX_DIRECTORIES).flatMap((directory) => watchOne(directory) ?? []);
  }

  function watchOne(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, noticed);
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  }

  function noticed(): void {
    const nowMs = performance.now();
    noticedAtMs ??= nowMs;
    clearTimeout(settling);
    settling = setTimeout(settled, Math.min(SETTLE_MS, Math.max(0, noticedAtMs + MAX_SETTLE_MS - nowMs))).unref();
  }

  function settled(): void {
    noticedAtMs = undefined;
    void work('check');
  }

  watchAll();
  const polling = setInterval(() => void work('check'), POLL_MS).unref();
  void work('check'); // it may have changed since it was read

  return {
    reload: () => void work('reload'),
    stop() {
      isStopped = true;
      clearInterval(polling);
      clearTimeout(settling);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function refusalOf(path: string): LoadResult {
  const message =
    'This is no file that can be read again, such as a pipe. Put the configuration into files, and restart.';
  return { ok: false, faults: [{ path: '', message, where: path }] };
}
