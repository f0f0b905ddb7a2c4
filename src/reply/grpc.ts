import { toFieldValue } from '../headers.ts';
import type { Reply } from './refusal.ts';
import { encodeRetryInfo, encodeStatus } from './status.ts';

/**
 * A refusal as trailers-only: one HEADERS frame that ends the stream. Java's exporter and grpc-go's retry policy look for
 * the status in the first header block and nowhere else. The code inside grpc-status-details-bin equals grpc-status, or
 * grpc-go would replace both with INTERNAL.
 */
export function toGrpcReply({ status, requestId }: Reply): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    ':status': 200,
    'content-type': 'application/grpc',
    'grpc-status': String(status.code),
    'grpc-message': toFieldValue(status.message),
    'grpc-status-details-bin': toBinaryValue(encodeStatus(status)),
    'x-request-id': requestId,
  };
  if (status.retryDelaySeconds !== undefined) {
    // Where Python's exporter looks for the delay; all others read it from the details.
    headers['google.rpc.retryinfo-bin'] = toBinaryValue(encodeRetryInfo(status.retryDelaySeconds));
  }
  return headers;
}

/** gRPC sends binary metadata as base64 without padding. */
function toBinaryValue(bytes: Buffer): string {
  return bytes.toString('base64').slice(0, Math.ceil((bytes.length * 4) / 3));
}

/**
 * grpc-message as it was on the wire, from what grpc-js made of it: it decodes with decodeURI, which leaves the escapes of
 * reserved characters alone, so those must not be escaped a second time.
 */
export function encodeGrpcMessage(details: string): string {
  return toFieldValue(details).replaceAll(/%25(2[346BCF]|3[ABDF]|40)/gi, '%$1');
}
