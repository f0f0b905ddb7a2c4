import { toHttpReply } from '../../reply/http.ts';
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

export function toOwnAnswer(reply: Reply, head: RequestHead, cors: Cors | undefined): OwnAnswer {
  const { method, contentType, route, use } = head;
  const { status, headers, body } = toHttpReply(reply, {
    contentType,
    otherwise: route?.plainRefusals ?? 'text',
    methods: route?.methods ?? [],
  });
  const fields: Fields = [...Object.entries(headers), ['date', httpDate()]];
  return { status, fields: cors?.mark(fields, use.origin) ?? fields, body: method === 'HEAD' ? undefined : body };
}
