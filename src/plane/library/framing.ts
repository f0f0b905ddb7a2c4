import type { RawFields } from '../../credential/read.ts';

/**
 * A request is forwarded only if we and any reader after us must agree where it ends and whom it is for (RFC 9112 sections
 * 3.2 and 6). Node's parser refuses most ambiguity; these are the forms it lets through.
 */
export function framingProblem(fields: RawFields, httpVersion: string): 'bad_request' | undefined {
  let hosts = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    if (name === 'host') hosts += 1;
    // "gzip, chunked" and "identity, chunked" are read differently by different servers; so is any of it on HTTP/1.0.
    if (name === 'transfer-encoding' && (httpVersion !== '1.1' || fields[i + 1]?.trim().toLowerCase() !== 'chunked')) {
      return 'bad_request';
    }
  }
  return hosts > 1 ? 'bad_request' : undefined;
}
