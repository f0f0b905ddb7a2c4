import { parseDocument } from 'yaml';
import { type Option, optionsBelow, type SectionOption } from './describe.ts';
import { type ConfigFault, HIDDEN_VALUE, showValue } from './faults.ts';
import { nearest, plain } from '../near.ts';
import { setAt, type Tree } from './tree.ts';
import { type ReadFile, readFault } from './yaml-file.ts';

/**
 * Every option has a variable: `limits.maxBody` is KEYGATE_LIMITS_MAX_BODY. One that is set to nothing counts as not
 * set, since that is what `${VAR:-}` in a compose file makes of a variable that is not there; null is written `null`.
 */
export function variableOf(option: Option): string {
  return ['KEYGATE', ...option.path]
    .map((part) => part.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase())
    .join('_');
}

/**
 * The variable that names a file with the value, so that it need not stand in the environment: for every secret and
 * every list of them. A group has none, since the secrets inside it have their own.
 */
export function fileVariableOf(option: Option): string | undefined {
  return option.secret && option.kind !== 'group' ? `${variableOf(option)}_FILE` : undefined;
}

/** What begins with KEYGATE_ without being an option: the CLI's own. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  'KEYGATE_CONFIG',
  'KEYGATE_URL',
  'KEYGATE_SERVICE_TOKEN',
  'KEYGATE_SERVICE_TOKEN_FILE',
]);

/** The options that variables may set: all but the sections that only hold others. */
export function variableOptions(root: SectionOption): readonly Option[] {
  return optionsBelow(root).filter((option) => option.kind !== 'section');
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Overrides {
  /** Which variable set the option of this name. */
  readonly variables: ReadonlyMap<string, string>;
  readonly faults: readonly ConfigFault[];
  /** Names of options that a faulty variable was, or was probably, meant to set. */
  readonly faulty: readonly string[];
}

/** Sets in the tree what the environment says; a variable wins over the file. */
export function applyEnvironment(
  tree: Tree,
  { root, env, readFile }: { root: SectionOption; env: Environment; readFile: ReadFile },
): Overrides {
  const variables = new Map<string, string>();
  const faults: ConfigFault[] = [];
  const faulty: string[] = [];
  const known = new Map<string, Option>();

  // A group comes before the options inside it, so that those add to what the group's own variable says.
  for (const option of variableOptions(root)) {
    const plainName = variableOf(option);
    const fileName = fileVariableOf(option);
    known.set(plainName, option);
    if (fileName !== undefined) known.set(fileName, option);
    const reading = readVariable(env, plainName, fileName, readFile);
    if (reading === undefined) continue;
    const { variable } = reading;
    const parsed = 'message' in reading ? reading : parseValue(option, reading.text);
    if ('message' in parsed) {
      const value = 'text' in reading ? (option.secret ? HIDDEN_VALUE : showValue(reading.text)) : undefined;
      faults.push({ path: option.name, message: parsed.message, value, where: variable });
      faulty.push(option.name);
    } else if (setAt(tree, option.path, parsed.value)) {
      variables.set(option.name, variable);
    }
  }

  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('KEYGATE_') || known.has(variable) || OTHER_VARIABLES.has(variable)) continue;
    if (text === undefined || isServiceLink(variable, text)) continue;
    const meant = nearestVariable(variable, [...known.keys()]);
    const hint = meant === undefined ? 'All of them are listed in docs/config.md.' : `Did you mean ${meant}?`;
    faults.push({ path: variable, message: `There is no such variable. ${hint}` });
    const option = meant === undefined ? undefined : known.get(meant);
    if (option) faulty.push(option.name);
  }
  return { variables, faults, faulty };
}

type Reading = { variable: string; text: string } | { variable: string; message: string };

/** The text of a variable, or of the file that its _FILE form names, without the newline that ends such a file. */
function readVariable(
  env: Environment,
  name: string,
  fileVariable: string | undefined,
  readFile: ReadFile,
): Reading | undefined {
  const text = env[name] || undefined;
  const file = fileVariable === undefined ? undefined : env[fileVariable] || undefined;
  if (fileVariable === undefined || file === undefined)
    return text === undefined ? undefined : { variable: name, text };
  if (text !== undefined) {
    return { variable: name, message: `is set by ${name} and by ${fileVariable}: remove one of the two` };
  }
  try {
    return { variable: fileVariable, text: readFile(file).replace(/\r?\n$/, '') };
  } catch (error) {
    return {
      variable: fileVariable,
      message: `must be a file that can be read: ${showValue(file)} ${readFault(error)}`,
    };
  }
}

type Parsed = { value: unknown } | { message: string };

/** A scalar is taken as written, whatever YAML would make of it; whether it is allowed is for the schema to say. */
function parseValue(option: Option, text: string): Parsed {
  if (option.nullable && text === 'null') return { value: null };
  switch (option.kind) {
    case 'text':
      return { value: text };
    case 'number':
      return { value: /^-?[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : text };
    case 'flag':
      return { value: text === 'true' || text === 'false' ? text === 'true' : text };
    case 'list':
      if (option.item.kind === 'text' && !text.trimStart().startsWith('[')) {
        return { value: text.split(',').map((part) => part.trim()) };
      }
      return parseYaml(option, text);
    case 'group':
    case 'section':
      return parseYaml(option, text);
  }
}

function parseYaml(option: Option, text: string): Parsed {
  const message = `must be ${option.allowed}, written as YAML or JSON`;
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0 || document.warnings.length > 0) return { message };
  try {
    return { value: document.toJS() as unknown };
  } catch {
    return { message };
  }
}

/**
 * Kubernetes gives every container the addresses of the services beside it. Next to a service that is called keygate,
 * or keygate-admin, those variables begin with KEYGATE_ too.
 */
function isServiceLink(variable: string, text: string): boolean {
  if (/_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/.test(variable)) return true;
  if (/_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(variable)) return true;
  return variable.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(text);
}

/** A name that only lacks its sections, as KEYGATE_MAX_BODY does, is nearer to the whole name than its letters say. */
function nearestVariable(variable: string, known: readonly string[]): string | undefined {
  const tail = plain(variable.slice('KEYGATE_'.length));
  const tails = tail.length < 4 ? [] : known.filter((name) => plain(name).endsWith(tail));
  return nearest(variable, known) ?? (tails.length === 1 ? tails[0] : undefined);
}
