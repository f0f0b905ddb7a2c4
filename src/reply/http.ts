import { grpcWebType } from '../grpc-type.ts';
import { toGrpcReply } from './grpc.ts';
import { iamStatus, toIamError } from './iam.ts';
import type { Reply } from './refusal.ts';
import { encodeStatus, statusToJson } from './status.ts';

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * For a request in neither of OTLP's encodings: the words alone, or the Status in JSON. `iam`: for every request, as IBM's IAM
 * says it.
 */
export type RefusalForm = 'text' | 'json' | 'iam';

/** What the reply goes by, besides the refusal itself. */
export interface HttpAsker {
  /** The request's own Content-Type. */
  readonly contentType: string | undefined;
  readonly otherwise: RefusalForm;
  /** The methods that the route takes. */
  readonly methods: readonly string[];
}

/**
 * OTLP/HTTP asks for google.rpc.Status in the request's own encoding, under the request's own Content-Type. On its routes a
 * request in neither encoding gets the words as text: it was sent by a person or a probe. gRPC-Web gets them where it reads them.
 */
export function toHttpReply(reply: Reply, { contentType = '', otherwise, methods }: HttpAsker): HttpReply {
  const webType = grpcWebType(contentType);
  if (webType !== undefined) return toGrpcWebReply(reply, webType);
  const { type, body } = encode(reply, contentType, otherwise);
  const headers: Record<string, string> = {
    'content-type': type,
    'content-length': String(body.length),
    'x-request-id': reply.requestId,
  };
  if (reply.status.retryDelaySeconds !== undefined) headers['retry-after'] = String(reply.status.retryDelaySeconds);
  if (reply.row.http === 405) headers.allow = methods.join(', ');
  return { status: otherwise === 'iam' ? iamStatus(reply.row) : reply.row.http, headers, body };
}

/** The answer to whoever asked whether a key is good. */
export function affirm(requestId: string): HttpReply {
  const headers = {
    'content-type': 'application/json',
    'content-length': String(VALID.length),
    'x-request-id': requestId,
  };
  return { status: 200, headers, body: VALID };
}

const VALID = Buffer.from('{"valid":true}');

/** What trailers-only is to gRPC: a status of gRPC in the head, and no message (PROTOCOL-WEB). */
function toGrpcWebReply(reply: Reply, type: string): HttpReply {
  const { ':status': status, ...fields } = toGrpcReply(reply);
  const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return {
    status: Number(status),
    headers: { ...headers, 'content-type': type, 'content-length': '0' },
    body: NOTHING,
  };
}

const NOTHING = Buffer.alloc(0);

function encode(reply: Reply, contentType: string, otherwise: HttpAsker['otherwise']): { type: string; body: Buffer } {
  if (otherwise === 'iam') return { type: 'application/json', body: toIamError(reply) };
  const { status } = reply;
  const [mediaType = ''] = contentType.split(';', 1);
  switch (mediaType.trim().toLowerCase()) {
    case 'application/x-protobuf':
      return { type: 'application/x-protobuf', body: encodeStatus(status) };
    case 'application/json':
      return { type: 'application/json', body: Buffer.from(statusToJson(status)) };
    default:
      return otherwise === 'json'
        ? { type: 'application/json', body: Buffer.from(statusToJson(status)) }
        : { type: 'text/plain; charset=utf-8', body: Buffer.from(`${status.message}\n`) };
  }
}
