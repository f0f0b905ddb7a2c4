import { once } from 'node:events';
import * as http2 from 'node:http2';
import { decodeRetryInfo, decodeStatus } from './rpc-status.ts';
import type { DecodedStatus } from './rpc-status.ts';
import type { Scope } from './scope.ts';

/** gRPC as it is on the wire: what a library would decode, retry or put right is seen as it is. */

export const TRACES_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface GrpcCall {
  readonly path?: string;
  /** Added to, or in place of, those that every gRPC client sends; undefined removes one. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The request, one DATA frame for each part. */
  readonly body?: Buffer | readonly Buffer[];
}

export interface GrpcAnswer {
  readonly httpStatus: number;
  /** Response headers without pseudo-header fields and `date`. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Undefined if the headers ended the stream. */
  readonly trailers: Readonly<Record<string, string | string[]>> | undefined;
  readonly body: Buffer;
  /** From the trailers, or from the headers of a trailers-only answer. */
  readonly code: number;
  /** As on the wire: percent-encoded. */
  readonly message: string | undefined;
  readonly resetCode: number;
}

/** A connection of its own, ended with the test. */
export async function connectGrpc(
  t: Scope,
  address: string,
  options: http2.SecureClientSessionOptions = {},
): Promise<http2.ClientHttp2Session> {
  // Node's client would reset its own streams once 10 MB wait to be sent.
  const session = http2.connect(address.includes('://') ? address : `http://${address}`, {
    maxSessionMemory: 1_000,
    ...options,
  });
  session.on('error', () => {}); // seen by the calls
  t.after(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** One gRPC message with its prefix. */
export function frame(payload: Buffer, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

export function openGrpc(
  session: http2.ClientHttp2Session,
  { path = TRACES_PATH, headers = {} }: GrpcCall = {},
): http2.ClientHttp2Stream {
  const all = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers };
  const stream = session.request(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
  stream.on('error', () => {}); // the reset code says it
  return stream;
}

export async function callGrpc(session: http2.ClientHttp2Session, call: GrpcCall = {}): Promise<GrpcAnswer> {
  const stream = openGrpc(session, call);
  const answer = readGrpc(stream);
  const { body = frame(Buffer.from('telemetry')) } = call;
  for (const part of Buffer.isBuffer(body) ? [body] : body) stream.write(part);
  stream.end();
  return answer;
}

/** Resolves when the stream has closed, however it did. */
export async function readGrpc(stream: http2.ClientHttp2Stream): Promise<GrpcAnswer> {
  let headers: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders | undefined;
  let endedByHeaders = false;
  const body: Buffer[] = [];
  stream.on('response', (fields, flags) => {
    headers = fields;
    endedByHeaders = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
  const status = endedByHeaders ? headers : (trailers ?? {});
  return {
    httpStatus: Number(headers[':status'] ?? 0),
    headers: plain(headers),
    trailers: trailers && plain(trailers),
    body: Buffer.concat(body),
    code: Number(status['grpc-status'] ?? Number.NaN),
    message: status['grpc-message']?.toString(),
    resetCode: stream.rstCode ?? 0,
  };
}

function plain(fields: http2.IncomingHttpHeaders): Record<string, string | string[]> {
  const kept = Object.entries(fields).filter(([name]) => !name.startsWith(':') && name !== 'date');
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

export interface Refusal {
  readonly code: number;
  readonly trailersOnly: boolean;
  readonly reason: string | undefined;
  /** The delay of RetryInfo, which the trailer for Python must repeat; undefined without one. */
  readonly retrySeconds: number | undefined;
}

/** What an answer of the gateway itself says, its parts checked against each other. */
export function readRefusal(answer: GrpcAnswer): Refusal {
  const fields = answer.trailers ?? answer.headers;
  const status = decodeStatus(Buffer.from(String(fields['grpc-status-details-bin'] ?? ''), 'base64'));
  if (status.code !== answer.code)
    throw new Error(`grpc-status ${answer.code} and the code in its details, ${status.code}, differ`);
  const bare = fields['google.rpc.retryinfo-bin'];
  const retrySeconds = retrySecondsOf(status);
  const repeated = bare === undefined ? undefined : secondsOf(decodeRetryInfo(Buffer.from(String(bare), 'base64')));
  if (repeated !== retrySeconds)
    throw new Error(`RetryInfo says ${retrySeconds} in the details and ${repeated} in its trailer`);
  return { code: answer.code, trailersOnly: answer.trailers === undefined, reason: reasonOf(status), retrySeconds };
}

export function reasonOf(status: DecodedStatus): string | undefined {
  return detailOf(status, 'ErrorInfo')?.['reason'] as string | undefined;
}

export function retrySecondsOf(status: DecodedStatus): number | undefined {
  const detail = detailOf(status, 'RetryInfo');
  return detail && secondsOf(detail);
}

function detailOf({ details }: DecodedStatus, name: string): Record<string, unknown> | undefined {
  return (details as Record<string, unknown>[]).find(
    (detail) => detail['@type'] === `type.googleapis.com/google.rpc.${name}`,
  );
}

function secondsOf(retryInfo: unknown): number {
  return (retryInfo as { retry_delay: { seconds: number } }).retry_delay.seconds;
}
