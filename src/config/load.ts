import { readFileSync } from 'node:fs';
import { crossFieldProblems } from './cross-field.ts';
import { describeSchema, nameOf, optionAt, optionsBelow, type SectionOption } from './describe.ts';
import { applyEnvironment, type Environment } from './environment.ts';
import { type ConfigFault, HIDDEN_VALUE, inOrder, showValue } from './faults.ts';
import type { Problem } from './problem.ts';
import { completeReceiverKeys } from './receiver-keys.ts';
import { type Config, configSchema } from './schema.ts';
import { copyOf, setAt, type Tree, valueAt } from './tree.ts';
import { validate, type Where } from './validate.ts';
import { NO_FILE, type ReadFile, readYamlFile } from './yaml-file.ts';

export interface LoadOptions {
  /** The configuration file; KEYGATE_CONFIG if it is not given, and neither means defaults and environment only. */
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly readFile?: ReadFile;
  /** Other defaults for trying Keygate out: everything listens on the loopback address, and needs no upstream. */
  readonly dev?: boolean;
}

export type LoadResult =
  | {
      readonly ok: true;
      readonly config: Config;
      /** The file that was read. */
      readonly source: string | undefined;
      /** The environment variables that set options. */
      readonly variables: readonly string[];
    }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** File, environment, schema, and what takes more than one option to see: either all faults, or a frozen Config. */
export function loadConfig({ file, env, readFile = readText, dev = false }: LoadOptions): LoadResult {
  const root = describeSchema(configSchema);
  const source = file ?? (env['KEYGATE_CONFIG'] || undefined);
  const yaml = source === undefined ? NO_FILE : readYamlFile(source, readFile);
  const tree = copyOf(yaml.tree);
  const overrides = applyEnvironment(tree, { root, env, readFile });
  if (!yaml.readable) return { ok: false, faults: inOrder([...yaml.faults, ...overrides.faults]) };
  fillEmptySections(tree, root);
  if (dev) listenOnLoopback(tree, root);

  const where = whereSet(overrides.variables, yaml.locate);
  const { config, faults, faulty } = validate(tree, { root, where, faulty: overrides.faulty });
  const receiverKeys = completeReceiverKeys(config?.keys.receiverKeys ?? [], readFile);
  const problems = config ? [...crossFieldProblems(config, { root, readFile, dev }), ...receiverKeys.problems] : [];
  const allFaults = [
    ...yaml.faults,
    ...overrides.faults,
    ...faults,
    ...problems
      .filter(({ path, others = [] }) => ![nameOf(path), ...others].some((name) => concerns(name, faulty)))
      .map((problem) => toFault(problem, { tree, root, where })),
  ];
  if (config === undefined || allFaults.length > 0) return { ok: false, faults: inOrder(allFaults) };

  const complete = { ...config, keys: { ...config.keys, receiverKeys: [...receiverKeys.keys] } };
  return { ok: true, config: deepFreeze(complete), source, variables: [...overrides.variables.values()] };
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** `limits:` with all below it commented out is null to YAML, and means the defaults to whoever wrote it. */
function fillEmptySections(tree: Tree, root: SectionOption): void {
  for (const { kind, path } of optionsBelow(root)) {
    if (kind === 'section' && valueAt(tree, path) === null) setAt(tree, path, {});
  }
}

function listenOnLoopback(tree: Tree, root: SectionOption): void {
  for (const { listens, path, defaultValue } of optionsBelow(root)) {
    if (!listens || typeof defaultValue !== 'string' || valueAt(tree, path) !== undefined) continue;
    setAt(tree, path, `127.0.0.1${defaultValue.slice(defaultValue.lastIndexOf(':'))}`);
  }
}

/** The variable that set an option or a group around it, else its place in the file, else that of what is around it. */
function whereSet(variables: ReadonlyMap<string, string>, locate: Where): Where {
  return (path, part) => {
    const ancestors = path.map((_, index) => path.slice(0, path.length - index));
    const variable = ancestors.map((ancestor) => variables.get(nameOf(ancestor))).find(Boolean);
    if (variable !== undefined) return variable;
    return ancestors.map((ancestor) => locate(ancestor, ancestor === ancestors[0] ? part : 'key')).find(Boolean);
  };
}

/** Whether an option is one of these, lies inside one of them, or has one of them inside. */
function concerns(name: string, names: readonly string[]): boolean {
  return names.some((other) => isWithin(name, other) || isWithin(other, name));
}

function isWithin(inner: string, outer: string): boolean {
  return inner.startsWith(outer) && /^(?:$|[.[])/.test(inner.slice(outer.length));
}

interface Setting {
  readonly tree: Tree;
  readonly root: SectionOption;
  readonly where: Where;
}

function toFault({ path, message }: Problem, { tree, root, where }: Setting): ConfigFault {
  const value = valueAt(tree, path);
  const option = optionAt(root, path);
  const isScalar = option?.kind === 'text' || option?.kind === 'number' || option?.kind === 'flag';
  const shown = value === undefined || !isScalar ? undefined : option.secret ? HIDDEN_VALUE : showValue(value);
  return { path: nameOf(path), message, value: shown, where: where(path, 'value') };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
