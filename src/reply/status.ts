/**
 * google.rpc.Status as bytes and as JSON, with the two details we send. Written by hand because it is six fields of three
 * messages (proto/google/rpc); the tests decode it with a real protobuf library.
 */

export interface StatusContent {
  /** A google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly errorInfo: {
    readonly reason: string;
    readonly domain: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
  readonly retryDelaySeconds?: number | undefined;
}

const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

export function encodeStatus(status: StatusContent): Buffer {
  const { reason, domain, metadata } = status.errorInfo;
  const info = Buffer.concat([
    text(1, reason),
    text(2, domain),
    ...Object.entries(metadata).map(([key, value]) => bytes(3, Buffer.concat([text(1, key), text(2, value)]))),
  ]);
  const details = [any(ERROR_INFO, info)];
  if (status.retryDelaySeconds !== undefined) details.push(any(RETRY_INFO, encodeRetryInfo(status.retryDelaySeconds)));
  return Buffer.concat([
    varintField(1, status.code),
    text(2, status.message),
    ...details.map((detail) => bytes(3, detail)),
  ]);
}

/** A bare RetryInfo, as Python's gRPC exporter reads it from the trailer google.rpc.retryinfo-bin. */
export function encodeRetryInfo(delaySeconds: number): Buffer {
  return bytes(1, varintField(1, delaySeconds));
}

export function statusToJson(status: StatusContent): string {
  const details: unknown[] = [{ '@type': ERROR_INFO, ...status.errorInfo }];
  if (status.retryDelaySeconds !== undefined) {
    details.push({ '@type': RETRY_INFO, retryDelay: `${status.retryDelaySeconds}s` });
  }
  return JSON.stringify({ code: status.code, message: status.message, details });
}

function any(typeUrl: string, value: Buffer): Buffer {
  return Buffer.concat([text(1, typeUrl), bytes(2, value)]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value, 'utf8'));
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** Non-negative integers below 2^31 only: lengths, codes and seconds. */
function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return Buffer.from(out);
}
