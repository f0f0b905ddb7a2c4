import { z } from 'zod';
import { isKeyDigest } from '../credential/digest.ts';
import type { KeyDigest } from '../credential/digest.ts';

/** The four kinds of telemetry a key may be limited to. */
export const SIGNALS = ['traces', 'metrics', 'logs', 'profiles'] as const;
export type Signal = (typeof SIGNALS)[number];

/**
 * - ingestion: made by Keygate, sends telemetry
 * - receiver: set in the configuration, sends telemetry, never expires (StackState's Receiver API key)
 * - service: a service token, manages keys through the admin API and never sends telemetry
 */
export const KEY_KINDS = ['ingestion', 'receiver', 'service'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const keyDigest = z.custom<KeyDigest>(isKeyDigest, 'is not a key digest');
const epochMs = z.number().int().nonnegative();

/**
 * All that is stored of a key; never its text. Optional fields are absent, not null. A revoked or expired record stays
 * as a tombstone for a while, so that "revoked" differs from "never existed".
 */
export const keyRecordSchema = z.object({
  /** An int64 as a decimal string: other systems' ids exceed what a double holds. */
  id: z.string().regex(/^[0-9]{1,19}$/),
  kind: z.enum(KEY_KINDS),
  name: z.string().min(1),
  description: z.string().optional(),
  digest: keyDigest,
  tenant: z.string().optional(),
  /** Absent: all of them. */
  signals: z.array(z.enum(SIGNALS)).optional(),
  /** Roles of a service token. */
  roles: z.array(z.string()).optional(),
  /** The user or service that a service token is for (StackState's dedicatedSubject). */
  dedicatedSubject: z.string().optional(),
  state: z.enum(['active', 'disabled', 'revoked']),
  createdAt: epochMs,
  createdBy: z.string(),
  /** The key is dead from this instant on. */
  expiresAt: epochMs.optional(),
  revokedAt: epochMs.optional(),
  revokedBy: z.string().optional(),
  /** Counts the changes of this record, from 1. */
  revision: z.number().int().positive(),
});

export type KeyRecord = Readonly<z.output<typeof keyRecordSchema>>;

/** A live key holds its name; a tombstone does not. */
export function isLive(record: KeyRecord, nowMs: number): boolean {
  return record.state !== 'revoked' && !isExpired(record, nowMs);
}

export function isExpired(record: KeyRecord, nowMs: number): boolean {
  return record.expiresAt !== undefined && nowMs >= record.expiresAt;
}

/** When the key died or will die; undefined for one that lives until it is revoked. */
export function diedAt({ revokedAt, expiresAt }: KeyRecord): number | undefined {
  if (revokedAt === undefined || expiresAt === undefined) return revokedAt ?? expiresAt;
  return Math.min(revokedAt, expiresAt);
}
