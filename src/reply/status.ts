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
  let info = text(1, reason) + text(2, domain);
  for (const key of Object.keys(metadata)) info += bytes(3, text(1, key) + text(2, metadata[key] ?? ''));
  const { retryDelaySeconds } = status;
  const retry =
    retryDelaySeconds === undefined ? '' : bytes(3, RETRY_INFO_TYPE + bytes(2, retryInfo(retryDelaySeconds)));
  return toBuffer(
    varintField(1, status.code) + text(2, status.message) + bytes(3, ERROR_INFO_TYPE + bytes(2, info)) + retry,
  );
}

/** A bare RetryInfo, as Python's gRPC exporter reads it from the trailer google.rpc.retryinfo-bin. */
export function encodeRetryInfo(delaySeconds: number): Buffer {
  return toBuffer(retryInfo(delaySeconds));
}

export function statusToJson(status: StatusContent): string {
  const details: unknown[] = [{ '@type': ERROR_INFO, ...status.errorInfo }];
  if (status.retryDelaySeconds !== undefined) {
    details.push({ '@type': RETRY_INFO, retryDelay: `${status.retryDelaySeconds}s` });
  }
  return JSON.stringify({ code: status.code, message: status.message, details });
}

/*
 * The parts are texts with one character a byte, joined and made bytes at the very end. There are some thirty of them: as buffers
 * they cost more than all the rest of a refusal, and who tries keys gets thousands a second.
 */

const ERROR_INFO_TYPE = text(1, ERROR_INFO);
const RETRY_INFO_TYPE = text(1, RETRY_INFO);

function retryInfo(delaySeconds: number): string {
  return bytes(1, varintField(1, delaySeconds));
}

function toBuffer(content: string): Buffer {
  return Buffer.from(content, 'latin1');
}

function text(field: number, value: string): string {
  const isAscii = Buffer.byteLength(value) === value.length;
  return bytes(field, isAscii ? value : Buffer.from(value, 'utf8').toString('latin1'));
}

function bytes(field: number, value: string): string {
  return varint((field << 3) | 2) + varint(value.length) + value;
}

function varintField(field: number, value: number): string {
  return varint(field << 3) + varint(value);
}

/** Non-negative integers below 2^31 only: lengths, codes and seconds. */
function varint(value: number): string {
  let out = '';
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out += String.fromCharCode((rest & 0x7f) | 0x80);
  return out + String.fromCharCode(rest);
}
