import { bytes, text, toBuffer, varintField } from './protobuf.ts';

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

const ERROR_INFO_TYPE = text(1, ERROR_INFO);
const RETRY_INFO_TYPE = text(1, RETRY_INFO);

function retryInfo(delaySeconds: number): string {
  return bytes(1, varintField(1, delaySeconds));
}
