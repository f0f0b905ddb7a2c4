import { toHttpReply } from '../../reply/http.ts';
import type { HttpReply } from '../../reply/http.ts';
import type { Reply } from '../../reply/refusal.ts';
import type { Cors, Fields } from '../cors.ts';
import { httpDate } from './date.ts';
import type { RequestHead } from './request-head.ts';

/** An answer of our own over HTTP, in words that either version writes. */
export interface OwnAnswer {
  readonly status: number;
  readonly fields: Fields;
  /** Not for a HEAD, which is only told how long it would be. */
  readonly body: Buffer | undefined;
}

export function toOwnRefusal(reply: Reply, head: RequestHead, cors: Cors | undefined): OwnAnswer {
  const { contentType, route } = head;
  const asker = { contentType, otherwise: route?.plainRefusals ?? 'text', methods: route?.methods ?? [] };
  return toOwnAnswer(toHttpReply(reply, asker), head, cors);
}

export function toOwnAnswer(
  { status, headers, body }: HttpReply,
  { method, use }: RequestHead,
  cors: Cors | undefined,
): OwnAnswer {
  const fields: Fields = [...Object.entries(headers), ['date', httpDate()]];
  return { status, fields: cors?.mark(fields, use.origin) ?? fields, body: method === 'HEAD' ? undefined : body };
}
