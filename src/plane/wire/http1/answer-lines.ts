import { STATUS_CODES } from 'node:http';
import type { RawFields } from '../../../credential/read.ts';
import { toHttpReply } from '../../../reply/http.ts';
import type { Reply } from '../../../reply/refusal.ts';
import type { Cors } from '../../cors.ts';
import { httpDate } from '../date.ts';
import { MAX_RESERVED_BYTES } from '../output.ts';
import type { Output } from '../output.ts';
import type { RequestHead } from '../request-head.ts';
import type { AnswerHead } from '../upstream-call.ts';

export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

export const CHUNKED_LINE = 'transfer-encoding: chunked\r\n';
export const CLOSE_LINE = 'connection: close\r\n';

/** Writes the head of the collector's answer; `last` are the lines that say how its body and its connection end. */
export function writeAnswerHead(out: Output, head: AnswerHead, varying: RawFields, last: string): void {
  head.asLines ??= Buffer.from(statusLine(head.status) + fieldLines(head.fields), 'latin1');
  let rest = '';
  let isDated = false;
  for (let i = 0; i + 1 < varying.length; i += 2) {
    const name = varying[i];
    if (name === 'content-length') continue; // said by whoever knows how the body is framed
    if (name === 'date') isDated = true;
    rest += `${name}: ${varying[i + 1]}\r\n`;
  }
  out.append(head.asLines);
  writeText(out, `${rest}${isDated ? '' : dateLine()}${last}\r\n`);
}

/** Writes an answer of our own; a HEAD is told how long it would be. */
export function writeRefusal(out: Output, reply: Reply, head: RequestHead, cors: Cors | undefined, last: string): void {
  const { method, contentType, route, use } = head;
  const { status, headers, body } = toHttpReply(reply, {
    contentType,
    otherwise: route?.plainRefusals ?? 'text',
    methods: route?.methods ?? [],
  });
  const fields = Object.entries(headers);
  const lines = fieldLines((cors?.mark(fields, use.origin) ?? fields).flat());
  writeText(out, `${statusLine(status)}${lines}${dateLine()}${last}\r\n`);
  if (method !== 'HEAD') out.append(body);
}

/** Text of one byte a character. */
export function writeText(out: Output, text: string): void {
  if (text.length > MAX_RESERVED_BYTES) return out.append(Buffer.from(text, 'latin1'));
  const offset = out.reserve(text.length);
  out.bytes.write(text, offset, 'latin1');
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
}

export function fieldLines(fields: RawFields): string {
  let lines = '';
  for (let i = 0; i + 1 < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return lines;
}

/** An answer without a date gets ours (RFC 9110 section 6.6.1). */
function dateLine(): string {
  return `date: ${httpDate()}\r\n`;
}
