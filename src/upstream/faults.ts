import type { Metadata, StatusObject } from '@grpc/grpc-js';
import { isGrpcType } from '../grpc-type.ts';
import type { Reason } from '../verdict/reasons.ts';

/** The one door by which faults of the collector, and of the way to it, come in; they leave as a reason of the table. */

const CODE = { ok: 0, deadlineExceeded: 4, resourceExhausted: 8 } as const;

export type UpstreamReason = Extract<Reason, `upstream_${string}`>;

/**
 * What grpc-js says itself when no status came from the collector. Relayed as they are, most of these would make the
 * sender delete its data (INTERNAL, UNKNOWN, RESOURCE_EXHAUSTED), although the collector never refused it.
 */
const SAID_BY_CHANNEL =
  /^(?:Received RST_STREAM with code|Received HTTP status code|Call ended without gRPC status|No status information received|Connection dropped|Call cancelled|Stream refused by server|Bandwidth exhausted|Protocol not secure enough|Deadline exceeded after|Received message larger than max|read E|write E)/;

/**
 * Whether these are the headers of a gRPC answer. The error or login page of something on the way is none: relayed, it
 * would be UNKNOWN to the sender, who deletes its data.
 */
export function isGrpcAnswer(headers: Metadata): boolean {
  return headers.get('content-type').some((type) => isGrpcType(String(type)));
}

/** Whether the status is the collector's own answer: then it passes untouched. */
export function isUpstreamStatus(status: StatusObject, sawHeaders: boolean): boolean {
  // A collector's trailers-only answer has a content-type; what grpc-js makes up has no metadata at all.
  if (!sawHeaders) return status.metadata.get('content-type').length > 0 && !SAID_BY_CHANNEL.test(status.details);
  return isOk(status) || !SAID_BY_CHANNEL.test(status.details);
}

/** The reason for a status that is not the collector's own. */
export function grpcFault(status: StatusObject): UpstreamReason {
  if (isCode(status, CODE.deadlineExceeded)) return 'upstream_timeout';
  return isCode(status, CODE.resourceExhausted) ? 'upstream_overloaded' : 'upstream_unavailable';
}

export function isOk(status: StatusObject): boolean {
  return isCode(status, CODE.ok);
}

/** By number: the names would bring all of grpc-js into processes that do without it. */
function isCode({ code }: { readonly code: number }, wanted: number): boolean {
  return code === wanted;
}
