import { toGrpcReply } from '../reply/grpc.ts';
import { toHttpReply } from '../reply/http.ts';
import { bytes, text, toBuffer, varintField } from '../reply/protobuf.ts';
import { encodeStatus } from '../reply/status.ts';
import type { Answer, Question } from './judge.ts';
import { readFields } from './protobuf-reader.ts';

/**
 * What Envoy asks and is answered, of proto/envoy/service/auth/v3: a dozen fields of ten messages, read and written by hand; the tests do
 * the other half with a real protobuf library. Values of header fields are taken as latin1, as Node's own HTTP has them.
 */

/** Envoy's own word for what a request is, and from whom: what senders say of that is not asked. */
export function decodeCheckRequest(message: Buffer): Omit<Question, 'port'> {
  const attributes = inner(message, 1);
  const http = inner(inner(attributes, 4), 2);
  const texts = new Map<number, string>();
  const merged: string[] = [];
  const raw: string[] = [];
  for (const { number, bytes: value } of readFields(http)) {
    if (value === undefined) continue;
    if (number === METHOD || number === PATH) texts.set(number, value.toString('latin1'));
    else if (number === HEADERS) merged.push(textIn(value, 1) ?? '', textIn(value, 2) ?? '');
    else if (number === HEADER_MAP) {
      for (const header of readFields(value)) {
        if (header.number !== 1 || header.bytes === undefined) continue;
        raw.push(textIn(header.bytes, 1) ?? '', textIn(header.bytes, 3) ?? textIn(header.bytes, 2) ?? '');
      }
    }
  }
  return {
    target: texts.get(PATH),
    method: texts.get(METHOD),
    // With encode_raw_headers a field that was sent twice is there twice; otherwise as one, with a comma, and a key has no comma.
    fields: raw.length > 0 ? raw : merged,
    peer: textIn(inner(inner(inner(attributes, 1), 1), 1), 2) ?? '',
  };
}

// Of HttpRequest.
const METHOD = 2;
const HEADERS = 3;
const PATH = 4;
const HEADER_MAP = 13;

export function encodeCheckResponse(answer: Answer): Buffer {
  if (answer.verdict === 'allow') {
    const ok = headerOptions(answer.set) + answer.remove.map((name) => text(5, name)).join('');
    return toBuffer(bytes(1, '') + bytes(3, ok));
  }
  const { status, headers, body } = answer.isGrpc ? grpcRefusal(answer) : httpRefusal(answer);
  const denied = bytes(1, varintField(1, status)) + headerOptions(Object.entries(headers)) + text(3, body);
  return toBuffer(bytes(1, encodeStatus(answer.reply.status).toString('latin1')) + bytes(2, denied));
}

interface Denied {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Refusing = Extract<Answer, { readonly verdict: 'refuse' }>;

/**
 * Envoy makes a gRPC answer of it, with what it finds of it among the fields; the body becomes grpc-message. The status is what the
 * others of its kind see, and what it makes a grpc-status of that knows no better.
 */
function grpcRefusal({ reply }: Refusing): Denied {
  const { ':status': _status, 'content-type': _type, 'grpc-message': _message, ...fields } = toGrpcReply(reply);
  const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return { status: reply.row.http, headers, body: reply.status.message };
}

/** The body is a text to protobuf, which must be UTF-8, so that no Status in protobuf can be in it: such senders get the words. */
function httpRefusal({ reply, asker }: Refusing): Denied {
  const isJson = asker.contentType?.toLowerCase().startsWith('application/json') ?? false;
  const { status, headers, body } = toHttpReply(reply, {
    ...asker,
    contentType: isJson ? asker.contentType : undefined,
  });
  const { 'content-length': _length, ...others } = headers; // Envoy counts itself
  return { status, headers: others, body: body.toString() };
}

/** Each in place of what is there by that name: newer Envoys read that from the action, those before 1.25 from the flag alone. */
function headerOptions(fields: readonly (readonly [name: string, value: string])[]): string {
  return fields
    .map(([name, value]) =>
      bytes(2, bytes(1, text(1, name) + text(2, value)) + bytes(2, '') + varintField(3, OVERWRITE)),
    )
    .join('');
}

const OVERWRITE = 2;

/** The first message of this number; an empty one if there is none, as protobuf has it. */
function inner(message: Buffer, number: number): Buffer {
  for (const field of readFields(message)) if (field.number === number && field.bytes !== undefined) return field.bytes;
  return NOTHING;
}

function textIn(message: Buffer, number: number): string | undefined {
  for (const field of readFields(message)) if (field.number === number) return field.bytes?.toString('latin1');
  return undefined;
}

const NOTHING = Buffer.alloc(0);
