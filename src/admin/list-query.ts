import { z } from 'zod';
import { KEY_SORTS } from '../keys/key-query.ts';
import type { KeyQuery } from '../keys/key-query.ts';
import type { Revocation } from '../keys/key-changes.ts';
import type { AuditQuery } from '../store/port.ts';
import { check } from './body.ts';
import type { Parsed } from './body.ts';
import type { ErrorStamp } from './answer.ts';
import type { QueryParameter } from './route.ts';

const MAX_ENTRIES = 1_000;
const DEFAULT_ENTRIES = 100;

export const count = (min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/, `must be a number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a number from ${min} to ${max}`);

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

const MAX_COUNT = 1_000_000;

const keyQuerySchema = z.object({
  all: flag.optional(),
  details: flag.optional(),
  name: z.string().max(100, 'must have at most 100 characters').optional(),
  sort: z.enum(KEY_SORTS, `must be one of ${KEY_SORTS.join(', ')}`).optional(),
  order: z.enum(['asc', 'desc'], 'must be asc or desc').optional(),
  limit: count(1, MAX_COUNT).optional(),
  offset: count(0, MAX_COUNT).optional(),
});

/** Whether each key is to be shown with its details; without a word on it, only where all are. */
export interface ListQuery extends KeyQuery {
  readonly details?: boolean | undefined;
}

const deletionSchema = z.object({
  force: flag.optional(),
});

const auditQuerySchema = z.object({
  limit: count(1, MAX_ENTRIES).default(DEFAULT_ENTRIES),
  before: z
    .string()
    .regex(/^[0-9]{1,19}(-[0-9]{1,19})?$/, 'must be the cursor of an entry')
    .optional(),
  key: z
    .string()
    .regex(/^[0-9]{1,19}$/, 'must be the number that the list shows')
    .optional(),
});

export function readKeyQuery(stamp: ErrorStamp, query: URLSearchParams): Parsed<ListQuery> {
  const parsed = check(stamp, keyQuerySchema, Object.fromEntries(query));
  if ('refused' in parsed) return parsed;
  const { order, ...rest } = parsed.value;
  return { value: { ...rest, descending: order === 'desc' } };
}

export function readDeletion(stamp: ErrorStamp, query: URLSearchParams): Parsed<Revocation> {
  return check(stamp, deletionSchema, Object.fromEntries(query));
}

export function readAuditQuery(stamp: ErrorStamp, query: URLSearchParams): Parsed<AuditQuery> {
  const parsed = check(stamp, auditQuerySchema, Object.fromEntries(query));
  if ('refused' in parsed) return parsed;
  const { limit, before, key } = parsed.value;
  return { value: { limit, before, keyId: key } };
}

/** The same for the OpenAPI document. */
export const KEY_QUERY: readonly QueryParameter[] = [
  {
    name: 'all',
    description: 'true: those that were deleted or replaced as well, and what is known of the life of each.',
    schema: z.boolean().default(false),
  },
  {
    name: 'details',
    description: 'true: each with its state, its maker and its use; false: never. Absent: the same as all.',
    schema: z.boolean(),
  },
  {
    name: 'name',
    description: 'A part of the name or, with * and ?, the whole of it; in any case.',
    schema: z.string().max(100),
  },
  {
    name: 'sort',
    description: 'What to sort by, smallest first; without a type or an expiration comes last, never used comes first.',
    schema: z.enum(KEY_SORTS).default('name'),
  },
  { name: 'order', description: 'desc: largest first.', schema: z.enum(['asc', 'desc']).default('asc') },
  { name: 'limit', description: 'How many to show; all of them if absent.', schema: z.int().min(1).max(MAX_COUNT) },
  { name: 'offset', description: 'How many to leave out.', schema: z.int().min(0).max(MAX_COUNT).default(0) },
];

/** Of keys and tokens: StackState's clients know of no force, and expect that what they delete is deleted. */
export const KEY_DELETION_QUERY: readonly QueryParameter[] = [
  {
    name: 'force',
    description: 'false: not if it was used within the last hour, which is refused with 409.',
    schema: z.boolean().default(true),
  },
];

export const OWNER_DELETION_QUERY: readonly QueryParameter[] = [
  {
    name: 'force',
    description: 'true: also if keys of it were used within the last hour, which is refused otherwise.',
    schema: z.boolean().default(false),
  },
];

export const AUDIT_QUERY: readonly QueryParameter[] = [
  {
    name: 'limit',
    description: 'How many entries to show.',
    schema: z.int().min(1).max(MAX_ENTRIES).default(DEFAULT_ENTRIES),
  },
  { name: 'before', description: 'Only entries older than the one with this cursor.', schema: z.string() },
  {
    name: 'key',
    description: 'Only entries of the key or token with this id.',
    schema: z.int().meta({ format: 'int64' }),
  },
];
