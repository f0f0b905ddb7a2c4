import { IncomingMessage } from 'node:http';
import { Http2ServerRequest } from 'node:http2';
import type { HttpRequest } from './edge.ts';

/**
 * A request is forwarded only if we and any reader after us must agree where it ends and whom it is for (RFC 9112 sections
 * 3.2 and 6). Node's parser refuses most ambiguity; these are the forms it lets through.
 */
export function framingProblem(request: HttpRequest): 'bad_request' | undefined {
  if (!isHttp1(request)) return undefined; // HTTP/2 says itself where a message ends, and has one :authority
  const { rawHeaders, httpVersion } = request;
  // A line without a version is taken for HTTP/0.9, and "HTTP/2.0" may stand in one as text.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'bad_request';
  let hosts = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    if (name === 'host') hosts += 1;
    // "gzip, chunked" and "identity, chunked" are read differently by different servers; so is any of it on HTTP/1.0.
    if (
      name === 'transfer-encoding' &&
      (httpVersion !== '1.1' || rawHeaders[i + 1]?.trim().toLowerCase() !== 'chunked')
    ) {
      return 'bad_request';
    }
  }
  return hosts > 1 || (hosts === 0 && httpVersion === '1.1') ? 'bad_request' : undefined;
}

/** As it is announced; 0 without a body, absent if only its end will tell. */
export function bodyLength(request: HttpRequest): number | undefined {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  if (!(request instanceof Http2ServerRequest)) return coding === undefined ? Number(length) : undefined;
  return request.stream.endAfterHeaders ? 0 : Number(length) || undefined;
}

export function isHttp1(request: HttpRequest): boolean {
  return request instanceof IncomingMessage;
}
