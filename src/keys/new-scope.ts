import { isPlainName } from './plain-text.ts';
import { SIGNALS } from './record.ts';
import type { KeyRecord, Signal } from './record.ts';
import { KEY_TYPES, limitsProblem, parseCidr, parseOrigin } from './scope.ts';
import type { KeyLimits, KeyType, ScopeResult } from './scope.ts';
import { KeyServiceError } from './service-error.ts';

/** What a new key is to be limited to, as it was written; what is absent limits nothing. */
export interface NewScope {
  readonly type?: KeyType | undefined;
  readonly signals?: readonly Signal[] | undefined;
  /** Networks or single addresses that its senders must have. */
  readonly cidrs?: readonly string[] | undefined;
  /** Web origins that its senders must have, or `*`. */
  readonly origins?: readonly string[] | undefined;
  readonly tenant?: string | undefined;
  /** Words to know it by, which limit nothing. */
  readonly tags?: readonly string[] | undefined;
  readonly limits?: KeyLimits | undefined;
}

/** What is to change of that: what is absent stays as it is, null removes it. */
export interface ScopeUpdate {
  readonly type?: KeyType | null | undefined;
  readonly signals?: readonly Signal[] | null | undefined;
  readonly cidrs?: readonly string[] | null | undefined;
  readonly origins?: readonly string[] | null | undefined;
  readonly tenant?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  /** One amount may change while the others stay. */
  readonly limits?: { readonly [name in keyof KeyLimits]?: number | null | undefined } | null | undefined;
}

export type Scope = Pick<KeyRecord, 'type' | 'signals' | 'cidrs' | 'origins' | 'tenant' | 'tags' | 'limits'>;

const MAX_ENTRIES = 100;
const MAX_TENANT_LENGTH = 100;
/** Every gateway that knows a key has them in memory. */
const MAX_TAGS = 20;
const MAX_TAG_LENGTH = 100;

/** As it goes into the record: parsed, each entry once, absent where nothing is limited. Throws for the first fault. */
export function toScope({ type, signals, cidrs, origins, tenant, tags, limits = {} }: NewScope): Scope {
  if (type !== undefined) mustBeOneOf('type', type, KEY_TYPES);
  for (const signal of signals ?? []) mustBeOneOf('signal', signal, SIGNALS);
  if (tenant !== undefined) checkTenant(tenant);
  if (tags !== undefined) checkTags(tags);
  const problem = limitsProblem(limits);
  if (problem !== undefined) throw invalid(`The limits cannot be kept: ${problem}.`);
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return {
    ...(type !== undefined && { type }),
    ...(signals !== undefined && { signals: distinct('signals', signals) }),
    ...(cidrs !== undefined && { cidrs: parseAll('cidrs', cidrs, parseCidr) }),
    ...(origins !== undefined && { origins: parseAll('origins', origins, parseOrigin) }),
    ...(tenant !== undefined && { tenant }),
    ...(tags !== undefined && { tags: [...new Set(tags)] }),
    ...(given.length > 0 && { limits: Object.fromEntries(given) }),
  };
}

/** The scope as it will be. Throws for the first fault. */
export function updateScope(scope: Scope, update: ScopeUpdate): Scope {
  const { limits = scope.limits } = update;
  return toScope({
    type: changed(scope.type, update.type),
    signals: changed(scope.signals, update.signals),
    cidrs: changed(scope.cidrs, update.cidrs),
    origins: changed(scope.origins, update.origins),
    tenant: changed(scope.tenant, update.tenant),
    tags: changed(scope.tags, update.tags),
    limits: limits === null ? undefined : withoutNulls({ ...scope.limits, ...limits }),
  });
}

function changed<T, U>(value: T, update: U | null | undefined): T | U | undefined {
  return update === undefined ? value : (update ?? undefined);
}

function withoutNulls(limits: NonNullable<ScopeUpdate['limits']>): KeyLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== null));
}

/** A service token sends nothing, so there is nothing to limit; taken in silence, a limit would be believed in. */
export function checkNoScope({ type, signals, cidrs, origins, tags, limits }: NewScope): void {
  if ([type, signals, cidrs, origins, tags, limits].every((each) => each === undefined)) return;
  throw invalid('A service token has no type, signals, cidrs, origins, tags or limits: it sends no telemetry.');
}

function parseAll<T extends string>(
  what: string,
  texts: readonly string[],
  parse: (text: string) => ScopeResult<T>,
): T[] {
  const values = texts.map((text) => {
    const result = parse(text);
    if ('problem' in result) throw invalid(`The entry ${JSON.stringify(text)} of ${what} ${result.problem}.`);
    return result.value;
  });
  return distinct(what, values);
}

/** An empty list would let nothing through, and has always been meant as no list. */
function distinct<T>(what: string, values: readonly T[]): T[] {
  const set = [...new Set(values)];
  if (set.length > 0 && set.length <= MAX_ENTRIES) return set;
  throw invalid(`The list of ${what} must have 1 to ${MAX_ENTRIES} entries. Leave it out to limit nothing.`);
}

function mustBeOneOf(what: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw invalid(`The ${what} ${JSON.stringify(value)} must be one of ${allowed.join(', ')}.`);
}

function checkTenant(tenant: string): void {
  if (isPlainName(tenant, MAX_TENANT_LENGTH)) return;
  throw invalid(
    `The tenant must have 1 to ${MAX_TENANT_LENGTH} characters, no control characters, and no spaces at its ends.`,
  );
}

function checkTags(tags: readonly string[]): void {
  const isKept = tags.length > 0 && tags.length <= MAX_TAGS && tags.every((tag) => isPlainName(tag, MAX_TAG_LENGTH));
  if (isKept) return;
  throw invalid(
    `The list of tags must have 1 to ${MAX_TAGS} entries, each of 1 to ${MAX_TAG_LENGTH} characters, without control ` +
      'characters and spaces at its ends. Leave it out for none.',
  );
}

function invalid(message: string): KeyServiceError {
  return new KeyServiceError('invalid_scope', message);
}
