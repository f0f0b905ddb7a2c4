import type { IngestionKeyUpdate } from '../admin/life-schemas.ts';
import type { NewIngestionKey } from '../admin/schemas.ts';
import { size } from '../config/units.ts';
import { SIGNALS } from '../keys/record.ts';
import { KEY_TYPES, MAX_REQUEST_LIMIT, parseCidr, parseOrigin } from '../keys/scope.ts';
import type { ScopeResult } from '../keys/scope.ts';
import type { CliCommand } from './cli-command.ts';
import { invalidArgument } from './command.ts';
import { collectList } from './values.ts';

/** What a key may be limited to, as flags. */
export interface ScopeFlags {
  readonly type?: string;
  readonly signals?: readonly string[];
  readonly cidr?: readonly string[];
  readonly origin?: readonly string[];
  readonly tenant?: string;
  readonly tags?: readonly string[];
  readonly limitRequests?: string;
  readonly limitBytes?: string;
}

type ScopeField = 'type' | 'signals' | 'cidrs' | 'origins' | 'tenant' | 'tags' | 'limits';
type Scope = Pick<NewIngestionKey, ScopeField>;
type ScopeUpdate = Pick<IngestionKeyUpdate, ScopeField>;

export function addScopeFlags(command: CliCommand): CliCommand {
  return command
    .option(
      '--type <string>',
      `Who the key is for (${KEY_TYPES.join(' | ')}); the type says on which routes it is taken`,
    )
    .option('--signals <strings>', `What it may send (${SIGNALS.join(',')})`, collectList)
    .option('--cidr <strings>', 'Networks or addresses that it may be used from, such as 10.0.0.0/8', collectList)
    .option('--origin <strings>', 'Web origins that it may be used from, such as https://shop.example.com', collectList)
    .option('--tenant <string>', 'The tenant that the collector is told')
    .option('--tags <strings>', 'Words to know it by; they limit nothing', collectList)
    .option('--limit-requests <rate>', 'Requests per second, and how many at once: N or N/burst')
    .option('--limit-bytes <rate>', 'Bytes per second, and how many at once: 1MiB or 1MiB/4MiB');
}

const NONE = 'none';
const FLAGS = ['type', 'signals', 'cidr', 'origin', 'tenant', 'tags', 'limitRequests', 'limitBytes'] as const;
const NO_REQUESTS = { requestsPerSecond: null, requestBurst: null };
const NO_BYTES = { bytesPerSecond: null, byteBurst: null };

/** The same for a key that is there: `none` removes, and an amount given anew takes its burst with it. */
export function readScopeUpdate(flags: ScopeFlags): ScopeUpdate {
  const isNone = (name: (typeof FLAGS)[number]): boolean => flags[name]?.toString() === NONE;
  const given = Object.fromEntries(FLAGS.filter((name) => !isNone(name)).map((name) => [name, flags[name]]));
  const { limits, ...scope } = readScope(given);
  const amounts = {
    ...(flags.limitRequests !== undefined && NO_REQUESTS),
    ...(flags.limitBytes !== undefined && NO_BYTES),
    ...limits,
  };
  return {
    ...scope,
    ...(isNone('type') && { type: null }),
    ...(isNone('signals') && { signals: null }),
    ...(isNone('cidr') && { cidrs: null }),
    ...(isNone('origin') && { origins: null }),
    ...(isNone('tenant') && { tenant: null }),
    ...(isNone('tags') && { tags: null }),
    ...(Object.keys(amounts).length > 0 && { limits: amounts }),
  };
}

/** What a key is limited to, for people. */
export function describeScope({ type, signals, cidrs, origins, tenant, tags, limits }: Scope) {
  return [
    ['Type', type],
    ['Signals', signals?.join(', ')],
    ['Networks', cidrs?.join(', ')],
    ['Origins', origins?.join(', ')],
    ['Tenant', tenant],
    ['Tags', tags?.join(', ')],
    ['Requests', describeRate(limits?.requestsPerSecond, limits?.requestBurst, String)],
    ['Bytes', describeRate(limits?.bytesPerSecond, limits?.byteBurst, formatBytes)],
  ] as const;
}

/** As the flags take it. */
function describeRate(
  rate: number | undefined,
  burst: number | undefined,
  format: (amount: number) => string,
): string | undefined {
  if (rate === undefined) return undefined;
  return `${format(rate)} per second${burst === undefined ? '' : `, ${format(burst)} at once`}`;
}

/** Exact, in the largest unit that leaves no fraction. */
function formatBytes(amount: number): string {
  const [unit, size] = BYTE_UNITS.find(([, each]) => amount % each === 0) ?? ['B', 1];
  return `${amount / size}${unit}`;
}

const BYTE_UNITS = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

/** Says of every value what is allowed, before anything is asked of a server or a store. */
export function readScope(flags: ScopeFlags): Scope {
  const { type, signals, cidr, origin, tenant, tags, limitRequests, limitBytes } = flags;
  const [requestsPerSecond, requestBurst] = readRate(limitRequests, '--limit-requests', readCount);
  const [bytesPerSecond, byteBurst] = readRate(limitBytes, '--limit-bytes', readBytes);
  const limits = {
    ...(requestsPerSecond !== undefined && { requestsPerSecond }),
    ...(requestBurst !== undefined && { requestBurst }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    ...(byteBurst !== undefined && { byteBurst }),
  };
  return {
    ...(type !== undefined && { type: oneOf(KEY_TYPES, type, '--type') }),
    ...(signals !== undefined && { signals: signals.map((signal) => oneOf(SIGNALS, signal, '--signals')) }),
    ...(cidr !== undefined && { cidrs: cidr.map((text) => valid(parseCidr(text), text, '--cidr')) }),
    ...(origin !== undefined && { origins: origin.map((text) => valid(parseOrigin(text), text, '--origin')) }),
    ...(tenant !== undefined && { tenant }),
    ...(tags !== undefined && { tags: [...tags] }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
}

function oneOf<T extends string>(allowed: readonly T[], text: string, flag: string): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw invalidArgument(text, flag, `must be one of ${allowed.join(', ')}`);
  return found;
}

function valid<T>(result: ScopeResult<T>, text: string, flag: string): T {
  if ('problem' in result) throw invalidArgument(text, flag, result.problem);
  return result.value;
}

/** `rate` or `rate/burst`. */
function readRate(
  text: string | undefined,
  flag: string,
  read: (part: string) => ScopeResult<number>,
): readonly (number | undefined)[] {
  if (text === undefined) return [];
  const parts = text.split('/');
  if (parts.length > 2)
    throw invalidArgument(text, flag, 'must be a rate, or a rate and a burst with a / between them');
  return parts.map((part) => valid(read(part), text, flag));
}

function readCount(part: string): ScopeResult<number> {
  const value = /^[0-9]{1,9}$/.test(part) ? Number(part) : 0;
  const isAllowed = value >= 1 && value <= MAX_REQUEST_LIMIT;
  return isAllowed
    ? { value }
    : { problem: `must be N or N/burst, each a whole number from 1 to ${MAX_REQUEST_LIMIT}` };
}

const bytes = size('1B', '1024GiB');

function readBytes(part: string): ScopeResult<number> {
  const result = bytes.safeParse(part);
  if (result.success) return { value: result.data };
  return { problem: 'must be a size or size/burst, each from 1B to 1024GiB with its unit: B, KiB, MiB, GiB' };
}
