import { MissingTool } from '../conformance/toolchain.ts';
import { Cleanups } from '../support/scope.ts';
import type { Scope } from '../support/scope.ts';

/** What other people's software did with Keygate, as a matrix: who, in which situation, and what was seen. */

export type Outcome = 'pass' | 'fail' | 'not installable';

export interface Cell {
  readonly outcome: Outcome;
  /** In a few words: what arrived, what was logged, what was lost and by whom. */
  readonly saw: string;
}

export interface Row {
  /** A version or a configuration of the neighbour. */
  readonly name: string;
  /** By column; a column that says nothing to this row is left out. */
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Table {
  readonly title: string;
  readonly about?: string;
  /** The situations. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

export interface Report {
  /** Of everything that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly tables: readonly Table[];
}

export interface Site {
  /** Ends with the run. */
  readonly scope: Scope;
  /** A folder of the neighbour's own that outlives the run, for what is built and fetched. */
  readonly cache: string;
  /** Words after the names on the command line that begin with `--`. */
  readonly flags: readonly string[];
  /** Progress for whoever waits. */
  say(line: string): void;
}

export interface Neighbour {
  readonly title: string;
  /** One paragraph of Markdown: what runs, how it sends, how it is judged. */
  readonly about: string;
  run(site: Site): Promise<Report>;
}

/**
 * One cell. What is seen is what `look` returns; it throws if the neighbour or the gateway did what it must not. What was started
 * in its scope ends with it, so that situations know nothing of each other.
 */
export async function seen(look: (scope: Scope) => string | Promise<string>): Promise<Cell> {
  const cleanups = new Cleanups();
  try {
    return { outcome: 'pass', saw: await look(cleanups) };
  } catch (error) {
    if (error instanceof MissingTool) return notInstallable(error.message);
    return { outcome: 'fail', saw: error instanceof Error ? error.message : String(error) };
  } finally {
    await cleanups.run();
  }
}

export function notInstallable(reason: string): Cell {
  return { outcome: 'not installable', saw: reason };
}

/** The rows that a neighbour would have had, had its tools been there. */
export function rowsWithout(names: readonly string[], columns: readonly string[], reason: string): Row[] {
  return names.map((name) => ({
    name,
    cells: Object.fromEntries(columns.map((column) => [column, notInstallable(reason)])),
  }));
}
