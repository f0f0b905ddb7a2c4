import { readFileSync } from 'node:fs';
import { changesBetween, standOf, withChanges } from './config/changes.ts';
import type { Change } from './config/changes.ts';
import type { ConfigFault } from './config/faults.ts';
import type { Config } from './config/schema.ts';
import type { ReadBytes } from './plane-options.ts';

/** What became of a new configuration. */
export type Reloaded =
  | {
      readonly result: 'applied' | 'partial' | 'unchanged';
      /** Options that say something else now; of one that names a file also if only the file did. */
      readonly applied: readonly string[];
      /** Options that keep their old value until a restart: since the start, or since whenever they were changed. */
      readonly needRestart: readonly string[];
    }
  | { readonly result: 'refused'; readonly cause: string };

/** Reads what it needs of a configuration, and throws if it cannot be used; what is returned makes it hold, and cannot fail. */
export type Prepare = (next: Config, read: ReadBytes, before: Config) => () => unknown;

export interface ReloadObserver {
  reloaded(reloaded: Reloaded): void;
  refused(faults: readonly ConfigFault[]): void;
}

export interface ReloaderOptions {
  /** What holds at first, and what its files were read with. */
  readonly config: Config;
  readonly read: ReadBytes;
  readonly parts: readonly Prepare[];
  readonly observe: ReloadObserver;
}

export interface Reloader {
  /** What holds now: of the newest configuration, the options that need no restart. */
  current(): Config;
  reload(next: Config): Reloaded;
  refuse(faults: readonly ConfigFault[]): void;
}

/**
 * Replaces the configuration while all goes on. First every part reads and judges what it needs, then all of them change, at
 * once: no request sees half of it. If one of them cannot, nothing has changed.
 */
export function createReloader({ config, read, parts, observe }: ReloaderOptions): Reloader {
  let current = config;
  let stand = standOf(config, asText(read));

  function replaceBy(next: Config): Reloaded {
    const readNext = readOnce();
    const nextStand = standOf(next, asText(readNext));
    const changes = changesBetween(stand, nextStand);
    const reloading = changes.filter(({ reloads }) => reloads);
    const needRestart = namesOf(changes.filter(({ reloads }) => !reloads));
    if (reloading.length > 0) {
      const effective = withChanges(current, next, reloading);
      const applies = parts.map((prepare) => prepare(effective, readNext, current));
      for (const apply of applies) apply();
      current = effective;
      stand = new Map([...stand, ...reloading.map(({ name }) => [name, nextStand.get(name) ?? ''] as const)]);
    }
    const result = needRestart.length > 0 ? 'partial' : reloading.length > 0 ? 'applied' : 'unchanged';
    return { result, applied: namesOf(reloading), needRestart };
  }

  return {
    current: () => current,
    reload(next) {
      let reloaded: Reloaded;
      try {
        reloaded = replaceBy(next);
      } catch (error) {
        reloaded = { result: 'refused', cause: error instanceof Error ? error.message : String(error) };
      }
      observe.reloaded(reloaded);
      return reloaded;
    },
    refuse: observe.refused,
  };
}

function namesOf(changes: readonly Change[]): string[] {
  return changes.map(({ name }) => name);
}

/** Each file once, so that whoever reads it sees the same, though it be replaced meanwhile. */
export function readOnce(): ReadBytes {
  const contents = new Map<string, Buffer>();
  return (path) => {
    const known = contents.get(path);
    if (known !== undefined) return known;
    const content = readFileSync(path);
    contents.set(path, content);
    return content;
  };
}

function asText(read: ReadBytes): (path: string) => string {
  return (path) => read(path).toString('latin1');
}
