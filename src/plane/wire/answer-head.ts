import type { RawFields } from '../../credential/read.ts';
import { isGrpcType } from '../../grpc-type.ts';
import type { Protocol } from '../plane.ts';
import type { AnswerHead } from './upstream-call.ts';

const GRPC_STATUS = /^[0-9]{1,3}$/;

/** What the fields of a collector's answer, those that pass, say of it; over either protocol. */
export function toAnswerHead(status: number, fields: RawFields, neverIndexed = false): AnswerHead {
  const grpcStatus = onlyValue(fields, 'grpc-status');
  return {
    status,
    isGrpc: isGrpcType(onlyValue(fields, 'content-type')),
    grpcStatus: grpcStatus !== undefined && GRPC_STATUS.test(grpcStatus) ? Number(grpcStatus) : undefined,
    fields,
    neverIndexed,
    asBlock: undefined,
  };
}

/**
 * The error or login page of something on the way is no answer of a collector: relayed, it would be UNKNOWN to the sender, who
 * deletes its data. So would an answer that never says its status.
 */
export function isOfCollector(head: AnswerHead, protocol: Protocol, ends: boolean): boolean {
  if (protocol === 'http') return head.status >= 200;
  return head.status === 200 && head.isGrpc && !(ends && head.grpcStatus === undefined);
}

/** Whatever length they announce (RFC 9110 section 6.4.1). */
export function hasNoBody(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** Two of them that differ are none: who is to be believed? */
function onlyValue(fields: RawFields, name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] !== name) continue;
    if (found !== undefined && found !== fields[i + 1]) return undefined;
    found = fields[i + 1];
  }
  return found;
}
