import { filterResponseFields } from '../../../headers.ts';
import { toAnswerHead } from '../answer-head.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { isVaryingInAnswers } from '../varying.ts';
import { CR, IS_VALUE, LF, readFieldLines, readLength } from './grammar.ts';
import type { ValuePlace } from './grammar.ts';

/** The head of a collector's answer, as it is remembered. */
export interface KnownAnswer {
  readonly head: AnswerHead;
  /** How the body ends, if there is one: with the connection if neither its length nor chunks say it. */
  readonly framing: 'length' | 'chunks' | 'connection';
  /** No further request may be sent on its connection. */
  readonly closes: boolean;
  /** How long the connection may be idle, if the collector says so. */
  readonly keepAliveMs: number | undefined;
}

export interface AnswerLines {
  readonly known: KnownAnswer;
  readonly length: number | undefined;
  readonly varying: readonly string[];
  /** Absent: not to be remembered. */
  readonly varyingPlaces: readonly ValuePlace[] | undefined;
}

/**
 * Reads the head between `start` and `end`, which is behind its empty line. Undefined if there is any doubt about it: where
 * an answer ends is where the next one begins, and that goes to somebody else (RFC 9112 section 6.3).
 */
export function readAnswer(bytes: Buffer, start: number, end: number): AnswerLines | undefined {
  const line = readStatusLine(bytes, start, end);
  const lines = line && readFieldLines(bytes, line.end, end);
  if (line === undefined || lines === undefined) return undefined;
  const { fields, places } = lines;

  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  const length = lengths.length === 0 ? undefined : readLength(lengths[0] as string);
  const isChunked = codings.length > 0;
  if (lengths.length + codings.length > 1 || (lengths.length > 0 && length === undefined)) return undefined;
  if (isChunked && (line.isOld || codings[0]?.toLowerCase() !== 'chunked')) return undefined;

  const options = valuesOf(fields, 'connection').flatMap((value) =>
    value.split(',').map((option) => option.trim().toLowerCase()),
  );
  const namesFields = options.some((option) => option !== 'close' && option !== 'keep-alive');
  const constant: string[] = [];
  const varying: string[] = [];
  for (const [name, value] of filterResponseFields(fields)) {
    (isVaryingInAnswers(name) ? varying : constant).push(name, value);
  }
  return {
    known: {
      head: toAnswerHead(line.status, constant),
      framing: isChunked ? 'chunks' : length === undefined ? 'connection' : 'length',
      closes: options.includes('close') || (line.isOld && !options.includes('keep-alive')),
      keepAliveMs: readKeepAlive(valuesOf(fields, 'keep-alive')),
    },
    length,
    varying,
    varyingPlaces: namesFields ? undefined : places.filter(({ name }) => isVaryingInAnswers(name)),
  };
}

interface StatusLine {
  readonly status: number;
  /** Where the fields begin. */
  readonly end: number;
  /** HTTP/1.0: nothing is kept, and nothing chunked, unless it says so. */
  readonly isOld: boolean;
}

/** RFC 9112 section 4; some servers leave out the space before a reason that they do not give. */
function readStatusLine(bytes: Buffer, start: number, end: number): StatusLine | undefined {
  let at = start;
  while (at < end && IS_VALUE[bytes[at] as number] === 1) at++;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return undefined;
  const [, minor, status] = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: |$)/.exec(bytes.toString('latin1', start, at)) ?? [];
  return status === undefined ? undefined : { status: Number(status), end: at + 2, isOld: minor === '0' };
}

function readKeepAlive(values: readonly string[]): number | undefined {
  const [, seconds] = /(?:^|[,; ])timeout=([0-9]{1,6})(?:$|[,; ])/i.exec(values.join(',')) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

function valuesOf(fields: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) values.push(fields[i + 1] as string);
  return values;
}
