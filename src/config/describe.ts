import { z } from 'zod';

/**
 * The options as data, read from the zod schema alone: what the environment, the faults and the documentation need to
 * know of them. The kinds of schema known here are those that the configuration uses; any other is a mistake of ours.
 */

/** What a reload makes of a change: it holds from then on; only if neither value is null; or it waits for a restart. */
export type Reloads = 'yes' | 'unless null' | 'no';

interface Described {
  /** Keys from the top; '[]' stands for every item of a list. */
  readonly path: readonly string[];
  /** The path as people write it: `limits.maxBody`, `keys.receiverKeys[].name`. */
  readonly name: string;
  readonly description: string;
  /** What may stand here, as the end of "must be …" and as a column of the documentation. */
  readonly allowed: string;
  readonly nullable: boolean;
  /** As written in the file; undefined if the option has to be set. */
  readonly defaultValue: unknown;
  /** A value to show in documentation where there is no default, or none that explains itself. */
  readonly example: unknown;
  /** Is a secret, or has one inside: its value is never shown. */
  readonly secret: boolean;
  /** Is a file that is read at the start. */
  readonly mustExist: boolean;
  /** Is an address that this process listens on. */
  readonly listens: boolean;
  /** As it says itself, or what it is in; whatever says nothing waits for a restart. */
  readonly reloads: Reloads;
}

/** One value; from the environment it is taken as written. */
export interface ScalarOption extends Described {
  readonly kind: 'text' | 'number' | 'flag';
}

/** A section is always there; a group is null until it is set. */
export interface SectionOption extends Described {
  readonly kind: 'section' | 'group';
  readonly children: readonly Option[];
}

export interface ListOption extends Described {
  readonly kind: 'list';
  readonly item: Option;
}

export type Option = ScalarOption | SectionOption | ListOption;

/** The option tree of a schema: its root is a section without a name. */
export function describeSchema(schema: z.ZodObject): SectionOption {
  const root = describe(schema, []);
  if (root.kind !== 'section') throw new TypeError('the configuration must be an object');
  return root;
}

function describe(schema: z.ZodType, path: readonly string[], around: Reloads = 'no'): Option {
  const { inner, meta, nullable, defaultValue } = unwrap(schema);
  const own = {
    path,
    name: nameOf(path),
    description: typeof meta['description'] === 'string' ? meta['description'] : '',
    nullable,
    defaultValue,
    example: Array.isArray(meta['examples']) ? (meta['examples'][0] as unknown) : undefined,
    mustExist: meta['mustExist'] === true,
    listens: meta['listens'] === true,
    reloads: (meta['reloads'] as Reloads | undefined) ?? around,
  };
  const orNull = nullable ? ', or null' : '';

  if (inner instanceof z.ZodObject) {
    const children = Object.entries(inner.shape).map(([key, child]) =>
      describe(child as z.ZodType, [...path, key], own.reloads),
    );
    const allowed = `a group of options (${children.map((child) => child.path.at(-1)).join(', ')})${orNull}`;
    const secret = children.some((child) => child.secret);
    return { ...own, kind: nullable ? 'group' : 'section', children, allowed, secret };
  }
  if (inner instanceof z.ZodArray) {
    const item = describe(inner.element as z.ZodType, [...path, '[]'], own.reloads);
    const { maxItems } = z.toJSONSchema(inner, { io: 'input' });
    if (maxItems === undefined) throw new TypeError(`${own.name} needs a bound: .max(…)`);
    return {
      ...own,
      kind: 'list',
      item,
      allowed: `a list of at most ${grouped(maxItems)}, each ${item.allowed}`,
      secret: item.secret,
    };
  }
  const { kind, allowed } = scalarForm(inner, own.name);
  const form = typeof meta['form'] === 'string' ? meta['form'] : allowed;
  return { ...own, kind, allowed: form + orNull, secret: meta['secret'] === true };
}

function scalarForm(schema: z.ZodType, name: string): { kind: ScalarOption['kind']; allowed: string } {
  if (schema instanceof z.ZodBoolean) return { kind: 'flag', allowed: 'true or false' };
  if (schema instanceof z.ZodEnum) {
    const words = schema.options.join(', ');
    return { kind: 'text', allowed: schema.options.length === 1 ? words : `one of ${words}` };
  }
  if (schema instanceof z.ZodUnion) {
    const forms = schema.options.map((option) => scalarForm(option as z.ZodType, name));
    const isNumber = forms.some(({ kind }) => kind === 'number');
    return { kind: isNumber ? 'number' : 'text', allowed: forms.map(({ allowed }) => allowed).join(', or ') };
  }
  if (schema instanceof z.ZodNumber) {
    return {
      kind: 'number',
      allowed: `a whole number from ${grouped(schema.minValue)} to ${grouped(schema.maxValue)}`,
    };
  }
  if (schema instanceof z.ZodString) {
    const { minLength, maxLength } = schema;
    if (maxLength !== null) return { kind: 'text', allowed: `text of ${minLength ?? 0} to ${maxLength} characters` };
    return {
      kind: 'text',
      allowed: minLength !== null && minLength > 1 ? `text of at least ${minLength} characters` : 'text',
    };
  }
  throw new TypeError(`${name} is of a kind that describe.ts does not know`);
}

function grouped(value: number | null): string {
  return value?.toLocaleString('en-US') ?? 'any';
}

interface Unwrapped {
  readonly inner: z.ZodType;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly nullable: boolean;
  readonly defaultValue: unknown;
}

/** Takes off the layers of null, default and transformation; what an outer layer says of itself wins. */
function unwrap(schema: z.ZodType): Unwrapped {
  const meta = schema.meta() ?? {};
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    const below = unwrap(schema.def.innerType as z.ZodType);
    return { ...below, meta: { ...below.meta, ...meta }, defaultValue: schema.def.defaultValue };
  }
  if (schema instanceof z.ZodNullable) {
    const below = unwrap(schema.def.innerType as z.ZodType);
    return { ...below, meta: { ...below.meta, ...meta }, nullable: true };
  }
  if (schema instanceof z.ZodPipe) {
    const below = unwrap(schema.def.in as z.ZodType);
    return { ...below, meta: { ...below.meta, ...meta } };
  }
  return { inner: schema, meta, nullable: false, defaultValue: undefined };
}

/** A path as people write it: `keys.receiverKeys[0].name`. */
export function nameOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (part === '[]' ? '[]' : typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** The option at a path of keys and list positions, or undefined. */
export function optionAt(root: Option, path: readonly PropertyKey[]): Option | undefined {
  let option: Option | undefined = root;
  for (const part of path) {
    if (option?.kind === 'list') option = typeof part === 'number' ? option.item : undefined;
    else if (option?.kind === 'section' || option?.kind === 'group') {
      option = option.children.find((child) => child.path.at(-1) === part);
    } else return undefined;
  }
  return option;
}

/** Every option below this one, each before those inside it; the items of lists are not addressed one by one. */
export function optionsBelow(option: Option): readonly Option[] {
  if (option.kind !== 'section' && option.kind !== 'group') return [];
  return option.children.flatMap((child) => [child, ...optionsBelow(child)]);
}
