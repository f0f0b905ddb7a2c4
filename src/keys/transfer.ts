import { z } from 'zod';
import { isKeyDigest } from '../credential/digest.ts';
import type { KeyDigest } from '../credential/digest.ts';
import { recordFields } from './record.ts';
import type { KeyKind, KeyRecord } from './record.ts';

/** What records look like between two stores, in files and in the admin API. docs/import-export.md says it for people. */

/** The kinds that are carried over, owners before what they own. Receiver keys are configured, canaries are each gateway's own. */
export const TRANSFERRED_KINDS = ['serviceId', 'user', 'ingestion', 'service'] as const satisfies readonly KeyKind[];

/** A record as it is, but without the sealed copy of its text: that belongs to one store and its encryption keys. */
export const transferredSchema = recordFields.omit({ sealed: true }).strict();

export type Transferred = Omit<KeyRecord, 'sealed'>;

const digest = z.custom<KeyDigest>(isKeyDigest, 'must be sha256: or hmac-<pepper id>: and 64 hexadecimal digits');

/** A key of another system: its id is given here. Where its text was, there is its digest. */
const foreignKeySchema = z.strictObject({
  name: z.string(),
  digest,
  /** Digests of the same text that it may be known by already: those of former peppers. */
  alternates: z.array(digest).max(16).optional(),
  description: z.string().optional(),
  expiresAt: z.number().int().nonnegative().optional(),
  ...recordFields.pick({ type: true, signals: true, tenant: true, tags: true, limits: true }).shape,
  cidrs: z.array(z.string()).optional(),
  origins: z.array(z.string()).optional(),
});

export type ForeignKey = Readonly<z.output<typeof foreignKeySchema>>;

/** What a line says; or which of its fields are at fault, without their values: one may be a key. */
export type LineResult<T> = { readonly value: T } | { readonly problem: string };

export function readTransferred(line: unknown): LineResult<Transferred> {
  return read(transferredSchema, line);
}

export function readForeignKey(line: unknown): LineResult<ForeignKey> {
  return read(foreignKeySchema, line);
}

function read<T>(schema: z.ZodType<T>, line: unknown): LineResult<T> {
  const parsed = schema.safeParse(line);
  if (parsed.success) return { value: parsed.data };
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the line'}: ${message}`);
  return { problem: faults.join('; ') };
}

/** What became of one line, in the order of the lines. */
export type ImportOutcome =
  | { readonly outcome: 'imported' | 'unchanged'; readonly id: string; readonly name: string }
  | { readonly outcome: 'refused'; readonly reason: string; readonly name?: string | undefined };

export interface ExportQuery {
  /** Where the page before this one ended. */
  readonly after?: string | undefined;
  /** How many records are looked at. */
  readonly limit: number;
  /** Dead ones too. */
  readonly all?: boolean | undefined;
}

export interface ExportPage {
  readonly keys: readonly Transferred[];
  /** Where to read on from; absent at the end. */
  readonly next?: string;
}
