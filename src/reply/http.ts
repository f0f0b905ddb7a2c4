import type { Reply } from './refusal.ts';
import { encodeStatus, statusToJson } from './status.ts';

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * OTLP/HTTP asks for google.rpc.Status in the request's own encoding, under the request's own Content-Type. A request in
 * neither encoding gets the words as text: it was sent by a person or a probe.
 */
export function toHttpReply(reply: Reply, requestContentType: string | undefined): HttpReply {
  const { type, body } = encode(reply, requestContentType);
  const headers: Record<string, string> = {
    'content-type': type,
    'content-length': String(body.length),
    'x-request-id': reply.requestId,
  };
  if (reply.status.retryDelaySeconds !== undefined) headers['retry-after'] = String(reply.status.retryDelaySeconds);
  if (reply.row.http === 405) headers.allow = 'POST';
  return { status: reply.row.http, headers, body };
}

function encode({ status }: Reply, requestContentType = ''): { type: string; body: Buffer } {
  const [mediaType = ''] = requestContentType.split(';', 1);
  switch (mediaType.trim().toLowerCase()) {
    case 'application/x-protobuf':
      return { type: 'application/x-protobuf', body: encodeStatus(status) };
    case 'application/json':
      return { type: 'application/json', body: Buffer.from(statusToJson(status)) };
    default:
      return { type: 'text/plain; charset=utf-8', body: Buffer.from(`${status.message}\n`) };
  }
}
