import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { ConfigFault } from './faults.ts';
import { copyOf, isTree, type Tree } from './tree.ts';

/** Reads the text of a file, or throws as node:fs does. */
export type ReadFile = (path: string) => string;

/** A configuration file as it was written: a tree of values, and where each of them stands. */
export interface YamlFile {
  readonly tree: Tree;
  readonly faults: readonly ConfigFault[];
  /** Whether the tree can be trusted; if not, judging what is in it would only add noise. */
  readonly readable: boolean;
  /** `file:line:column` of the key or the value at a path, if it is in the file. */
  readonly locate: (path: readonly PropertyKey[], part: 'key' | 'value') => string | undefined;
}

/** What there is without a file: nothing, which means the defaults. */
export const NO_FILE: YamlFile = { tree: {}, faults: [], readable: true, locate: () => undefined };

export function readYamlFile(file: string, readFile: ReadFile): YamlFile {
  let text: string;
  try {
    text = readFile(file);
  } catch (error) {
    const message = `The configuration file ${readFault(error)}. Give another one with --config or KEYGATE_CONFIG.`;
    return { ...NO_FILE, readable: false, faults: [{ path: '', message, where: file }] };
  }
  return parseYamlFile(file, text);
}

function parseYamlFile(file: string, text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  // The library's own messages quote the text around a fault, and that may be a secret: only their codes are used.
  const faults: ConfigFault[] = [...document.errors, ...document.warnings].map(({ code, pos: [start] }) => ({
    path: code === 'DUPLICATE_KEY' ? (/^[\w.-]+/.exec(text.slice(start))?.[0] ?? '') : '',
    message: SYNTAX_FAULTS[code] ?? `This is not valid YAML (${code}).`,
    where: at(start),
  }));
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return { ...NO_FILE, readable: false, faults };

  const tree = toTree(() => document.toJS());
  if (tree === undefined) {
    const message = 'A configuration file holds options and their values, as in "log: { level: info }".';
    return { ...NO_FILE, readable: false, faults: [...faults, { path: '', message, where: at(0) }] };
  }
  const locate: YamlFile['locate'] = (path, part) => {
    let key: unknown;
    let value: unknown = document.contents;
    for (const step of path) {
      if (isAlias(value)) value = value.resolve(document);
      if (isMap(value)) {
        const pair = value.items.findLast((item) => isScalar(item.key) && String(item.key.value) === String(step));
        if (pair === undefined) return undefined;
        ({ key, value } = pair);
      } else if (isSeq(value)) {
        key = value = value.items[Number(step)];
      } else return undefined;
    }
    const start = (part === 'value' && startOf(value)) || startOf(key);
    return start === undefined ? undefined : at(start);
  };
  return { tree, faults, readable: true, locate };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

/** An empty file is a configuration too. Aliases of too much, or of what they are in, make this throw inside. */
function toTree(toJs: () => unknown): Tree | undefined {
  try {
    const value = toJs() ?? {};
    return isTree(value) ? copyOf(value) : undefined;
  } catch {
    return undefined;
  }
}

const SYNTAX_FAULTS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'A value that begins with "*" refers to an anchor, and there is none. If it is text, quote it.',
  BAD_INDENT: 'The indentation does not fit the lines above.',
  BAD_SCALAR_START: 'A value cannot begin with this character. Quote it.',
  BLOCK_AS_IMPLICIT_KEY: 'Two options stand on one line, or a value that contains ": " is not quoted.',
  DUPLICATE_KEY: 'This option was set before. Remove one of the two.',
  MISSING_CHAR: 'Something is not closed or not ended here: a quote, a bracket, a brace, or the ":" after an option.',
  MULTIPLE_DOCS: 'A second document begins here. One file holds one configuration: remove the "---".',
  TAB_AS_INDENT: 'A tab indents this line. YAML wants spaces.',
  TAG_RESOLVE_FAILED: 'A value that begins with "!" is a tag, which has no meaning here. If it is text, quote it.',
  UNEXPECTED_TOKEN: 'This is not expected here. Is the line above complete?',
};

/** Why a file could not be read, to follow its name. */
export function readFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user';
    case 'EISDIR':
      return 'is a directory';
    default:
      return typeof code === 'string' ? `cannot be read (${code})` : 'cannot be read';
  }
}
