import { shortAgo } from '../keys/in-use.ts';
import { KEY_SORTS } from '../keys/key-query.ts';
import type { KeyQuery } from '../keys/key-query.ts';
import type { CliCommand } from './cli-command.ts';
import { invalidArgument } from './command.ts';
import { UsageError } from './errors.ts';
import { parseCount } from './values.ts';

export interface ListFlags {
  readonly all?: boolean;
  readonly name?: string;
  readonly sort?: string;
  readonly limit?: string;
  readonly page?: string;
}

export function addListFlags(command: CliCommand): CliCommand {
  return command
    .option('-a, --all', 'Show those that were deleted or replaced as well, and the state of each')
    .option('-n, --name <string>', 'Show those whose name has this in it or, with * and ?, is like this')
    .option('--sort <string>', `Sort by this (must be { ${KEY_SORTS.join(' | ')} })`)
    .option('--limit <int>', 'Show so many at most')
    .option('--page <int>', 'Show this page of --limit, from 1');
}

/** What a list asks for, and whether it shows the details of each. */
export interface ListRequest {
  readonly query: KeyQuery;
  readonly withDetails: boolean;
}

export function readListFlags(command: CliCommand, flags: ListFlags): ListRequest {
  const { all, name, sort, limit: size, page: number } = flags;
  const sorted = KEY_SORTS.find((each) => each === sort);
  if (sort !== undefined && sorted === undefined) {
    throw invalidArgument(sort, '--sort', `must be { ${KEY_SORTS.join(' | ')} }`);
  }
  const limit = size === undefined ? undefined : parseCount(size, '--limit');
  const page = number === undefined ? 1 : parseCount(number, '--page');
  if (number !== undefined && limit === undefined) {
    throw new UsageError('--page needs --limit, which says how many a page has', { duringParse: true, command });
  }
  const query = {
    ...(all === true && { all }),
    ...(name !== undefined && { name }),
    ...(sorted !== undefined && { sort: sorted }),
    ...(limit !== undefined && { limit }),
    ...(limit !== undefined && page > 1 && { offset: (page - 1) * limit }),
  };
  return { query, withDetails: all === true || sorted === 'last-used' };
}

/** What is known of a key besides what every list shows. */
export interface ShownDetails {
  readonly state?: string | undefined;
  readonly lastUsed?: number | undefined;
  readonly replacedBy?: number | undefined;
}

/** Columns that not every list has. */
export interface MoreColumns {
  readonly titles: readonly string[];
  readonly cells: (key: ShownDetails) => string[];
}

/**
 * With details: how each key is doing. Without, while a key and its successor have one name: which one is the old one,
 * and which one took its place.
 */
export function moreColumns(
  keys: readonly ShownDetails[],
  { withDetails, nowMs }: { readonly withDetails: boolean; readonly nowMs: number },
): MoreColumns {
  if (withDetails) {
    const cells = ({ state = '-', lastUsed }: ShownDetails): string[] => [
      state,
      lastUsed === undefined ? 'never' : shortAgo(nowMs - lastUsed),
    ];
    return { titles: ['state', 'last used'], cells };
  }
  if (keys.every(({ replacedBy }) => replacedBy === undefined)) return { titles: [], cells: () => [] };
  return { titles: ['replaced by'], cells: ({ replacedBy }) => [replacedBy?.toString() ?? '-'] };
}

/** What is said beside a list that is longer than anybody reads. */
export const LONG_LIST = '--name and --limit show less of it';
