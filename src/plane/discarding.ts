import type { Reason } from '../verdict/reasons.ts';

/**
 * After an early answer the rest of the body is read and thrown away, so that the sender gets to read the answer and its
 * connection stays usable; but only this much of it and for so long: then it is told to stop.
 */
export const MAX_DISCARDED_BYTES = 1 << 20;
export const MAX_DISCARD_MS = 5_000;

const DISTRUSTED: ReadonlySet<string> = new Set<Reason>(['bad_request', 'header_limits']);

/**
 * Refusals of a head that cannot be trusted. What follows it on an HTTP/1.1 connection may not be what its sender meant, so
 * nothing more is taken from there (RFC 9112 section 11.2).
 */
export function isDistrusted(reason: string): boolean {
  return DISTRUSTED.has(reason);
}
