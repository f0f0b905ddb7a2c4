import { readFileSync } from 'node:fs';
import { changesBetween, standOf, withChanges } from './config/changes.ts';
import type { Change } from './config/changes.ts';
import type { ConfigFault } from './config/faults.ts';
import type { Config } from './config/schema.ts';
import type { ReadBytes } from './plane-options.ts';

/** A new configuration that holds now. */
export interface Taken {
  readonly result: 'applied' | 'partial' | 'unchanged';
  /** Options that say something else now; of one that names a file also if only the file did. */
  readonly applied: readonly string[];
  /** Options that keep their old value until a restart: since the start, or since whenever they were changed. */
  readonly needRestart: readonly string[];
}

/** One that cannot be used: nothing has changed. */
export interface Refused {
  readonly result: 'refused';
  readonly cause: string;
}

/** What became of a new configuration. */
export type Reloaded = Taken | Refused;

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
}

/** Has a new configuration hold that all parts have judged; cannot fail. To be called once, before another one is prepared. */
export type Take = () => Taken;

export interface Reloader {
  /** What holds now: of the newest configuration, the options that need no restart. */
  current(): Config;
  /** Has every part read and judge it. Nothing has changed yet. */
  prepare(next: Config): Take | Refused;
}

/** Other processes in which the same configuration holds. */
export interface Others {
  /** Has them judge it; says why one of them cannot use it, if so. */
  prepare(next: Config): Promise<string | undefined>;
  /** Has what they have prepared hold; resolves when it does. */
  take(): Promise<void>;
}

/**
 * Replaces the configuration while all goes on. First every part reads and judges what it needs, also in the other processes, then
 * all of them change: no request sees half of it, and if one of them cannot, nothing has changed anywhere.
 */
export async function reload(
  next: Config,
  reloader: Reloader,
  observe: ReloadObserver,
  others?: Others,
): Promise<Reloaded> {
  const reloaded = await replaceBy(next, reloader, others);
  observe.reloaded(reloaded);
  return reloaded;
}

async function replaceBy(next: Config, reloader: Reloader, others: Others | undefined): Promise<Reloaded> {
  const take = reloader.prepare(next);
  if (typeof take !== 'function') return take;
  const cause = await others?.prepare(next);
  if (cause !== undefined) return { result: 'refused', cause };
  const taken = take(); // before the others: one of them that is started from here on begins with it
  await others?.take();
  return taken;
}

/** The configuration of this process, and what may take its place: of the parts all change in one turn of the event loop. */
export function createReloader({ config, read, parts }: ReloaderOptions): Reloader {
  let current = config;
  let stand = standOf(config, asText(read));

  function judge(next: Config): Take {
    const readNext = readOnce();
    const nextStand = standOf(next, asText(readNext));
    const changes = changesBetween(stand, nextStand);
    const reloading = changes.filter(({ reloads }) => reloads);
    const needRestart = namesOf(changes.filter(({ reloads }) => !reloads));
    const result = needRestart.length > 0 ? 'partial' : reloading.length > 0 ? 'applied' : 'unchanged';
    const taken: Taken = { result, applied: namesOf(reloading), needRestart };
    if (reloading.length === 0) return () => taken;
    const effective = withChanges(current, next, reloading);
    const applies = parts.map((prepare) => prepare(effective, readNext, current));
    return () => {
      for (const apply of applies) apply();
      current = effective;
      stand = new Map([...stand, ...reloading.map(({ name }) => [name, nextStand.get(name) ?? ''] as const)]);
      return taken;
    };
  }

  return {
    current: () => current,
    prepare(next) {
      try {
        return judge(next);
      } catch (error) {
        return { result: 'refused', cause: error instanceof Error ? error.message : String(error) };
      }
    },
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
