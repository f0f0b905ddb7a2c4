import { hash } from 'node:crypto';
import { describeSchema, type Option, optionsBelow } from './describe.ts';
import { type Config, configSchema } from './schema.ts';
import { copyOf, setAt, valueAt } from './tree.ts';
import type { ReadFile } from './yaml-file.ts';

/** What a new configuration says differently from the one that holds. */
export interface Change {
  /** As people write it: `limits.maxBody`. A list, and a group that was or is null, counts as one option. */
  readonly name: string;
  readonly path: readonly string[];
  /** It may hold from now on; if not, it waits for a restart. */
  readonly reloads: boolean;
}

/** What each option says, by its name, and what is in the file that it names. */
export type Stand = ReadonlyMap<string, string>;

const OPTIONS: readonly Option[] = optionsBelow(describeSchema(configSchema)).filter(({ kind }) => kind !== 'section');
const NULL = JSON.stringify(null);

/** Files are read with this; one that cannot be read says nothing. */
export function standOf(config: Config, readFile: ReadFile): Stand {
  const stand = new Map<string, string>();
  for (const option of OPTIONS) {
    const value = valueAt(config, option.path);
    if (value === undefined) continue; // in a group that is null
    const isSet = option.kind === 'group' && value !== null;
    const said = isSet ? 'set' : JSON.stringify(value);
    stand.set(option.name, option.mustExist ? `${said} ${contentOf(value, readFile)}` : said);
  }
  return stand;
}

function contentOf(file: unknown, readFile: ReadFile): string {
  if (typeof file !== 'string') return '';
  try {
    return hash('sha256', readFile(file));
  } catch {
    return '';
  }
}

/** Of a group that is set or goes, the options inside are not named one by one. */
export function changesBetween(before: Stand, after: Stand): Change[] {
  return OPTIONS.flatMap(({ name, path, reloads }) => {
    const old = before.get(name);
    const now = after.get(name);
    if (old === undefined || now === undefined || old === now) return [];
    const isNull = old.trim() === NULL || now.trim() === NULL;
    return [{ name, path, reloads: reloads === 'yes' || (reloads === 'unless null' && !isNull) }];
  });
}

/** The configuration with what the next one says of these options. */
export function withChanges(config: Config, next: Config, changes: readonly Change[]): Config {
  const tree = copyOf(config);
  for (const { path } of changes) setAt(tree, path, valueAt(next, path));
  return tree as Config;
}
