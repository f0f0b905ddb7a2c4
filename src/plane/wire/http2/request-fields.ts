import type { RequestStart } from '../request-head.ts';
import type { RawFields } from '../../../credential/read.ts';
import { isGrpcType } from '../../../grpc-type.ts';
import { parseGrpcTimeout } from '../../grpc-timeout.ts';
import { isHost } from '../host.ts';
import type { IsVarying } from '../varying.ts';

/** What a header block may say (RFC 9113 section 8): the rules for requests, and what is read from those that keep them. */

/** A head that keeps the rules, without what may differ from request to request. */
export interface RequestFields {
  readonly method: string;
  /** `:path`; empty for CONNECT, which has none. */
  readonly target: string;
  readonly isGrpc: boolean;
  readonly fields: RawFields;
}

/** RFC 9110 section 5.6.2, in lower case as RFC 9113 section 8.2.1 wants it. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** They say something about a connection of HTTP/1.1 (RFC 9113 section 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** RFC 3986 section 3.1. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/;
const LENGTH = /^[0-9]{1,15}$/;

/** RFC 9113 section 8.2.1; of all that is invisible, this forbids more than NUL, CR and LF. */
export function isFieldValue(text: string): boolean {
  return VALUE.test(text);
}

/** gRPC's metadata is ASCII (PROTOCOL-HTTP2, "Custom-Metadata"): its servers refuse, or misread, what is beyond it. */
const ASCII_VALUE = /^[\t\x20-\x7e]*$/;

export function isAsciiMetadata(fields: RawFields): boolean {
  for (let i = 1; i < fields.length; i += 2) if (!ASCII_VALUE.test(fields[i] as string)) return false;
  return true;
}

/** RFC 9113 section 8.2; the fields of a request beside its pseudo-header fields, and trailers. */
export function isRegularField(name: string, value: string): boolean {
  if (!NAME.test(name) || !isFieldValue(value)) return false;
  return name === 'te' ? value === 'trailers' : !CONNECTION_FIELDS.has(name);
}

/** Undefined if the request is malformed: RFC 9113 sections 8.2, 8.3 and 8.5. */
export function readRequestFields(block: RawFields): RequestFields | undefined {
  const pseudo: Record<string, string | undefined> = {
    ':method': undefined,
    ':scheme': undefined,
    ':path': undefined,
    ':authority': undefined,
  };
  const fields: string[] = [];
  let at = 0;
  for (; at + 1 < block.length && block[at]?.startsWith(':'); at += 2) {
    const name = block[at] as string;
    const value = block[at + 1] as string;
    if (!(name in pseudo) || pseudo[name] !== undefined || !isFieldValue(value)) return undefined;
    pseudo[name] = value;
  }
  let host: string | undefined;
  let type: string | undefined;
  for (; at + 1 < block.length; at += 2) {
    const name = block[at] as string;
    const value = block[at + 1] as string;
    if (!isRegularField(name, value)) return undefined;
    if (name === 'host') {
      if (host !== undefined) return undefined;
      host = value;
    } else if (name === 'content-type') type ??= value;
    fields.push(name, value);
  }
  const { ':method': method, ':scheme': scheme, ':path': path, ':authority': authority } = pseudo;
  if (!isWhole(method, scheme, path, authority)) return undefined;
  // RFC 9113 section 8.3.1: one of the two has to say whom the request is for.
  const recipient = authority ?? host ?? '';
  if (recipient === '' || !isHost(recipient)) return undefined;
  // RFC 9113 section 8.3.1: a request that names two hosts is for one of them here and for the other further on.
  if (host !== undefined && authority !== undefined && host.toLowerCase() !== authority.toLowerCase()) return undefined;
  return { method, target: path ?? '', isGrpc: isGrpcType(type), fields };
}

/** RFC 9113 sections 8.3.1 and 8.5. */
function isWhole(
  method: string | undefined,
  scheme: string | undefined,
  path: string | undefined,
  authority: string | undefined,
): method is string {
  if (method === 'CONNECT') return scheme === undefined && path === undefined && authority !== undefined;
  if (!method || !path || !SCHEME.test(scheme ?? '')) return false;
  return path.startsWith('/') || (method === 'OPTIONS' && path === '*');
}

/**
 * Divides the fields of a head into those that are remembered and those of this request alone. Cookies come in crumbs, which
 * are one field everywhere else (RFC 9113 section 8.2.3).
 */
export function divide(
  fields: RawFields,
  isVarying: IsVarying,
): { readonly steady: RawFields; readonly varying: RawFields } {
  const steady: string[] = [];
  const varying: string[] = [];
  let cookieAt = -1;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (name !== 'cookie' || cookieAt === -1) {
      if (name === 'cookie') cookieAt = steady.length + 1;
      (isVarying(name) ? varying : steady).push(name, value);
    } else steady[cookieAt] = `${steady[cookieAt]}; ${value}`;
  }
  return { steady, varying };
}

const NO_FIELDS: RawFields = [];

/**
 * What the fields of this request alone say. They are checked already; undefined if the request is malformed all the same:
 * RFC 9113 section 8.1.1 and RFC 9110 section 8.6 about its length.
 */
export function readStart(
  varying: RawFields,
  { method, isGrpc }: Pick<RequestFields, 'method' | 'isGrpc'>,
  endsWithHead: boolean,
): RequestStart | undefined {
  let bodyLength = endsWithHead ? 0 : undefined;
  let timeout: string | undefined;
  // A body that means nothing (RFC 9110 section 9.3.1) would be read by one and taken for a request by another.
  let objection: RequestStart['objection'] = method === 'POST' || endsWithHead ? undefined : 'bad_request';
  let sawLength = false;
  let onward = varying;
  for (let i = 0; i + 1 < varying.length; i += 2) {
    const name = varying[i] as string;
    const value = varying[i + 1] as string;
    if (name === 'content-length') {
      if (sawLength || !LENGTH.test(value) || (endsWithHead && Number(value) !== 0)) return undefined;
      sawLength = true;
      bodyLength = Number(value);
      onward = onward.length === 2 ? NO_FIELDS : onward.toSpliced(onward.indexOf(name), 2);
    } else if (isGrpc && !ASCII_VALUE.test(value)) {
      objection = 'bad_request';
    } else if (name === 'grpc-timeout' && isGrpc) {
      if (timeout !== undefined) objection = 'bad_request';
      timeout = value;
    }
  }
  const read = parseGrpcTimeout(timeout);
  if ('problem' in read) return { varying: onward, bodyLength, timeoutMs: undefined, objection: read.problem };
  return { varying: onward, bodyLength, timeoutMs: read.timeoutMs, objection };
}
