import type { RawFields } from '../../../credential/read.ts';
import { filterResponseFields } from '../../../headers.ts';
import { toAnswerHead } from '../answer-head.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { isRegularField } from './request-fields.ts';

const STATUS = /^[1-9][0-9]{2}$/;
const LENGTH = /^[0-9]{1,15}$/;

/** Reads the fields of a block: name, value, name, value, …; undefined if RFC 9113 section 8 calls it malformed. */
export function readAnswerHead(fields: RawFields, neverIndexed = false): AnswerHead | undefined {
  let status = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (name === ':status' && i === 0 && STATUS.test(value)) status = Number(value);
    else if (!isRegularField(name, value)) return undefined;
  }
  return toAnswerHead(status, filterResponseFields(fields).flat(), neverIndexed);
}

/** Blanks around a value are not allowed (RFC 9113 section 8.2.1); but grpc-go's servers write messages as they are. */
export function withoutBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (isBlank(value[start])) start += 1;
  while (end > start && isBlank(value[end - 1])) end -= 1;
  return value.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** How long its body will be; undefined if it does not say so, NaN if that cannot be (RFC 9110 section 8.6). */
export function announcedLength(varying: RawFields): number | undefined {
  let length: string | undefined;
  for (let i = 0; i + 1 < varying.length; i += 2) {
    if (varying[i] !== 'content-length') continue;
    const value = varying[i + 1] as string;
    if (!LENGTH.test(value) || (length !== undefined && length !== value)) return Number.NaN;
    length = value;
  }
  return length === undefined ? undefined : Number(length);
}
