import { PREFLIGHT_STATUS } from '../cors.ts';
import type { Cors } from '../cors.ts';
import { discardBody } from './discard.ts';
import type { HttpRequest, HttpResponse } from './edge.ts';

/** The rules for pages of other origins, as Node's requests and responses have them. */

/** Whatever will be answered to it. */
export function markAnswer(cors: Cors, { headers }: HttpRequest, response: HttpResponse): void {
  for (const [name, value] of cors.mark([], headers.origin)) response.setHeader(name, value);
}

export function isPreflight(cors: Cors, { method, headers }: HttpRequest): boolean {
  const { origin, 'access-control-request-method': askedMethod } = headers;
  return cors.isPreflight({ method, origin, askedMethod });
}

export function answerPreflight(
  cors: Cors,
  request: HttpRequest,
  response: HttpResponse,
  methods: readonly string[],
): void {
  response.writeHead(PREFLIGHT_STATUS, Object.fromEntries(cors.permission(methods, request.headers.origin)));
  response.end();
  discardBody(request, () => request.destroy());
}
