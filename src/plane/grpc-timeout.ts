import type { RawFields } from '../credential/read.ts';

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * How long the client will wait, from `grpc-timeout`: at most 8 digits and a unit. Absent means no limit of its own;
 * anything else is a problem, because a proxy that ignores a deadline it cannot read would wait for nobody.
 */
export function parseGrpcTimeout(
  value: string | undefined,
): { readonly timeoutMs: number } | { readonly problem: 'bad_request' } {
  if (value === undefined) return { timeoutMs: Number.POSITIVE_INFINITY };
  const [, digits, unit] = /^([0-9]{1,8})([HMSmun])$/.exec(value) ?? [];
  const unitMs = UNIT_MS[unit ?? ''];
  return digits === undefined || unitMs === undefined
    ? { problem: 'bad_request' }
    : { timeoutMs: Number(digits) * unitMs };
}

/** Whoever serves a call is told when nobody will wait for it any more: our own patience, if the sender has more or does not say. */
export function tellDeadline(varying: RawFields, timeoutMs: number, upstreamTimeoutMs: number): RawFields {
  if (timeoutMs <= upstreamTimeoutMs) return varying;
  const others = varying.filter((_, i) => varying[i - (i % 2)] !== 'grpc-timeout');
  return [...others, 'grpc-timeout', `${upstreamTimeoutMs}m`];
}
