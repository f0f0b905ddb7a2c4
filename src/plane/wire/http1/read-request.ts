import type { Reason } from '../../../verdict/reasons.ts';
import { exceedsHeaderLimits } from '../../library/limits.ts';
import { isHost } from '../host.ts';
import type { IsVarying } from '../varying.ts';
import { CR, HTAB, IS_TOKEN, IS_VISIBLE, LF, readFieldLines, readLength, SP } from './grammar.ts';
import type { FieldLines, ValuePlace } from './grammar.ts';

export interface HeadRules {
  readonly isVarying: IsVarying;
  readonly limits: { readonly maxHeaders: number; readonly maxHeaderBytes: number };
}

/** A head that is served here. */
export interface RequestLines {
  readonly method: string;
  readonly target: string;
  /** Without the varying ones; names in lower case. */
  readonly fields: readonly string[];
  readonly varying: readonly string[];
  readonly varyingPlaces: readonly ValuePlace[];
  /** How long the values of varying fields may be in all. */
  readonly maxVaryingBytes: number;
  /** Undefined: the body comes in chunks. */
  readonly bodyLength: number | undefined;
  /** It is the last one of its connection. */
  readonly closes: boolean;
  /** Its sender waits for leave to send the body. */
  readonly expectsContinue: boolean;
}

/** A head that must not go on; what could be read of it says how it is told so. */
export interface UnfitHead {
  readonly objection: Extract<Reason, 'bad_request' | 'header_limits'>;
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
}

/** `elsewhere`: legal, and so unusual that the library plane serves it with the rest of its connection. */
export type ReadRequest = RequestLines | UnfitHead | 'elsewhere';

const METHODS: ReadonlySet<string> = new Set(['POST', 'GET', 'HEAD']);
const SLASH = 0x2f;
const VERSION_LENGTH = 'HTTP/1.1'.length;

/** The same for all that cannot be read. */
export const UNREADABLE: UnfitHead = { objection: 'bad_request', method: '', target: '', fields: [] };
export const TOO_LARGE: UnfitHead = { ...UNREADABLE, objection: 'header_limits' };

/** Reads the head between `start` and `end`, which is behind its empty line. */
export function readRequest(bytes: Buffer, start: number, end: number, rules: HeadRules): ReadRequest {
  let at = start;
  while (IS_TOKEN[bytes[at] as number] === 1) at++;
  const methodEnd = at;
  if (methodEnd === start || bytes[at] !== SP) return UNREADABLE;
  const targetStart = ++at;
  while (IS_VISIBLE[bytes[at] as number] === 1) at++;
  const targetEnd = at;
  if (targetEnd === targetStart || bytes[at] !== SP) return UNREADABLE;
  const lineEnd = at + 1 + VERSION_LENGTH;
  if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) return UNREADABLE;
  const version = bytes.toString('latin1', at + 1, lineEnd);
  if (version === 'HTTP/1.0') return 'elsewhere';
  if (version !== 'HTTP/1.1') return UNREADABLE;

  const lines = readFieldLines(bytes, lineEnd + 2, end);
  if (lines === undefined) return UNREADABLE;
  const { fields } = lines;
  const method = bytes.toString('latin1', start, methodEnd);
  const target = bytes.toString('latin1', targetStart, targetEnd);
  const unfit = (objection: UnfitHead['objection']): UnfitHead => ({ objection, method, target, fields });
  if (exceedsHeaderLimits(fields, rules.limits)) return unfit('header_limits');

  const said = readSpecialFields(fields);
  const bodyLength = framing(said);
  if (bodyLength === 'bad_request' || !isOneHost(said.hosts)) return unfit('bad_request');
  if (said.isUnusual || !METHODS.has(method) || bytes[targetStart] !== SLASH) return 'elsewhere';

  const { varyingBytes, ...parts } = divide(lines, rules.isVarying);
  return {
    method,
    target,
    ...parts,
    maxVaryingBytes: rules.limits.maxHeaderBytes - countedBytes(fields) + varyingBytes,
    bodyLength,
    closes: said.closes,
    expectsContinue: said.expectsContinue,
  };
}

interface SpecialFields {
  readonly hosts: string[];
  readonly lengths: string[];
  readonly codings: string[];
  closes: boolean;
  expectsContinue: boolean;
  isUnusual: boolean;
}

function readSpecialFields(fields: readonly string[]): SpecialFields {
  const said: SpecialFields = {
    hosts: [],
    lengths: [],
    codings: [],
    closes: false,
    expectsContinue: false,
    isUnusual: false,
  };
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    switch (fields[i]) {
      case 'host':
        said.hosts.push(value);
        break;
      case 'content-length':
        said.lengths.push(value);
        break;
      case 'transfer-encoding':
        said.codings.push(value);
        break;
      case 'connection':
        readConnection(value, said);
        break;
      case 'expect':
        if (said.expectsContinue || value.toLowerCase() !== '100-continue') said.isUnusual = true;
        said.expectsContinue = true;
        break;
      case 'upgrade':
        said.isUnusual = true;
        break;
      default:
    }
  }
  return said;
}

/** What names further fields makes them fields of the connection, varying ones too: not for the fast way. */
function readConnection(value: string, said: SpecialFields): void {
  for (const option of value.split(',')) {
    const word = option.trim().toLowerCase();
    if (word === 'close') said.closes = true;
    else if (word !== 'keep-alive' && word !== '') said.isUnusual = true;
  }
}

/**
 * Where the body ends: its length, or undefined for chunks. Only if we and any reader after us must agree on it: one length
 * that is a plain number, or one coding that is "chunked" and nothing else, and never both (RFC 9112 sections 6.1 to 6.3
 * and 11.2, GHSA-ggv3-7p47-pfv8).
 */
function framing({ lengths, codings }: SpecialFields): number | undefined | 'bad_request' {
  if (lengths.length + codings.length > 1) return 'bad_request';
  if (codings.length > 0) return codings[0]?.toLowerCase() === 'chunked' ? undefined : 'bad_request';
  if (lengths.length === 0) return 0;
  return readLength(lengths[0] as string) ?? 'bad_request';
}

/** For whom a request is must be said once, as a host with or without a port (RFC 9112 section 3.2). */
function isOneHost(hosts: readonly string[]): boolean {
  return hosts.length === 1 && isHost(hosts[0] as string);
}

function divide({ fields, places }: FieldLines, isVarying: IsVarying) {
  const constant: string[] = [];
  const varying: string[] = [];
  const varyingPlaces: ValuePlace[] = [];
  let varyingBytes = 0;
  for (const [i, place] of places.entries()) {
    const { name } = place;
    const value = fields[2 * i + 1] as string;
    if (!isVarying(name)) {
      constant.push(name, value);
      continue;
    }
    varyingPlaces.push(place);
    varyingBytes += value.length;
    if (name !== 'content-length') varying.push(name, value);
  }
  return { fields: constant, varying, varyingPlaces, varyingBytes };
}

/** As `exceedsHeaderLimits` counts. */
function countedBytes(fields: readonly string[]): number {
  return fields.reduce((bytes, text) => bytes + text.length, fields.length * 16);
}

/** Whether what is there of a head from `from` on can be none: lines end with CR and LF, and there are no controls. */
export function isHopeless(bytes: Buffer, from: number, start: number): boolean {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte >= SP || byte === HTAB || (byte === CR && at > start)) continue;
    if (byte !== LF || at === start || bytes[at - 1] !== CR) return true;
  }
  return false;
}
