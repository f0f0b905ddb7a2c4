import type { z } from 'zod';
import { nameOf, type Option, optionAt, optionsBelow, type SectionOption } from './describe.ts';
import { variableOf } from './environment.ts';
import { type ConfigFault, HIDDEN_VALUE, showValue } from './faults.ts';
import { nearest, plain } from '../near.ts';
import { type Config, configSchema } from './schema.ts';
import { copyOf, removeAt, type Tree, valueAt } from './tree.ts';

/** Where the option at a path was set: a place in the file, or a variable. */
export type Where = (path: readonly PropertyKey[], part: 'key' | 'value') => string | undefined;

export interface Validation {
  /** The configuration; where an option is faulty, its default stands in, so that the rest can still be judged. */
  readonly config: Config | undefined;
  readonly faults: readonly ConfigFault[];
  /** Names of options that are not as they were meant: whatever else follows from them is no fault of its own. */
  readonly faulty: readonly string[];
}

/** Judges a tree against the schema; `faulty` names options that are known to be at fault already. */
export function validate(
  tree: Tree,
  { root, where, faulty: alreadyFaulty }: { root: SectionOption; where: Where; faulty: readonly string[] },
): Validation {
  const result = configSchema.safeParse(tree);
  if (result.success) return { config: result.data, faults: [], faulty: alreadyFaulty };

  const faults = new Map<string, ConfigFault>();
  const faulty = new Set(alreadyFaulty);
  // Unknown options come first: what they were meant to be is then not reported as missing.
  for (const issue of result.error.issues) {
    for (const path of unknownPaths(issue)) {
      const { message, meant } = unknownOption(root, path);
      faults.set(nameOf(path), { path: nameOf(path), message, where: where(path, 'key') });
      if (meant !== undefined) faulty.add(meant);
    }
  }
  for (const issue of result.error.issues) {
    const name = nameOf(issue.path);
    const value = valueAt(tree, issue.path);
    if (issue.code === 'unrecognized_keys' || faults.has(name) || (value === undefined && faulty.has(name))) continue;
    faults.set(name, faultOf(issue, value, optionAt(root, issue.path), where));
  }
  const { config, withdrawn } = withoutFaults(tree);
  return { config, faults: [...faults.values()], faulty: [...faulty, ...withdrawn] };
}

/** Withdrawing what is faulty lays bare one level of the tree after the other, and it is not deeper than this. */
const MAX_ROUNDS = 8;

/** The configuration that is left when everything faulty is withdrawn, so that its defaults stand in. */
function withoutFaults(tree: Tree): { config: Config | undefined; withdrawn: readonly string[] } {
  const remaining = copyOf(tree);
  const withdrawn: string[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const result = configSchema.safeParse(remaining);
    if (result.success) return { config: result.data, withdrawn };
    for (const issue of result.error.issues) {
      if (issue.code === 'unrecognized_keys') unknownPaths(issue).forEach((path) => removeAt(remaining, path));
      else withdrawn.push(withdraw(remaining, issue.path));
    }
  }
  return { config: undefined, withdrawn };
}

function unknownPaths(issue: z.core.$ZodIssue): PropertyKey[][] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [];
}

/** The words of the schema's own checks are kept; for the others, what the option allows says it best. */
function faultOf(issue: z.core.$ZodIssue, value: unknown, option: Option | undefined, where: Where): ConfigFault {
  const name = nameOf(issue.path);
  const at = where(issue.path, 'value');
  const allowed = option?.allowed ?? 'something else';
  if (value === undefined) {
    const variable = option === undefined || name.includes('[') ? '' : `, in the file or as ${variableOf(option)}`;
    return { path: name, message: `must be set${variable}: ${allowed}`, where: at };
  }
  const isUnquoted = issue.code === 'invalid_type' && issue.expected === 'string' && typeof value !== 'object';
  const quote = isUnquoted && issue.message.startsWith('Invalid') ? '; put it in quotes' : '';
  const message = issue.message.startsWith('must ') ? issue.message : `must be ${allowed}${quote}`;
  return { path: name, message, value: option?.secret === false ? showValue(value) : HIDDEN_VALUE, where: at };
}

/** Says that there is no such option, and which one was probably meant: one beside it, or one elsewhere in the tree. */
function unknownOption(root: SectionOption, path: readonly PropertyKey[]): { message: string; meant?: string } {
  const key = String(path.at(-1));
  const owner = optionAt(root, path.slice(0, -1));
  const siblings = owner?.kind === 'section' || owner?.kind === 'group' ? owner.children : [];
  const keys = siblings.map((sibling) => String(sibling.path.at(-1)));
  const near = nearest(key, keys);
  if (near !== undefined) {
    return { message: `There is no such option. Did you mean ${near}?`, meant: nameOf([...path.slice(0, -1), near]) };
  }
  const elsewhere = optionsBelow(root).filter((option) => plain(String(option.path.at(-1))) === plain(key));
  const [only] = elsewhere;
  if (only !== undefined && elsewhere.length === 1) {
    return { message: `There is no such option here. Did you mean ${only.name}?`, meant: only.name };
  }
  return { message: `There is no such option. Here may stand: ${keys.join(', ')}.` };
}

/**
 * Removes what is at fault, and says what that was. A missing option takes the group that lacks it along, and an item
 * its list, so that the positions of the other items stay what they are.
 */
function withdraw(tree: Tree, path: readonly PropertyKey[]): string {
  const item = path.findIndex((part) => typeof part === 'number');
  const target = item === -1 ? path : path.slice(0, item);
  return removeAt(tree, target) || target.length <= 1 ? nameOf(target) : withdraw(tree, target.slice(0, -1));
}
