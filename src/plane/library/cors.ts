import { isAmong } from '../../keys/scope.ts';
import type { Origin } from '../../keys/scope.ts';
import { discardBody } from './discard.ts';
import type { HttpRequest, HttpResponse } from './edge.ts';

/**
 * What pages of other web origins may do (Fetch standard, "CORS protocol"). Which origins there are is configured: a
 * preflight brings no key that could say so. The key that comes later may be limited further; that is for the verdict.
 */
export interface CorsRules {
  /** Not empty. */
  readonly origins: readonly Origin[];
  readonly maxAgeMs: number;
}

export interface Cors {
  /**
   * Lets the page read whatever will be answered, refusals too: what a browser may not read looks like a broken
   * connection to its exporter, which then repeats what was refused for good. Other origins get nothing to read.
   */
  mark(request: HttpRequest, response: HttpResponse): void;
  /** Whether a browser asks if the page may send. From other origins it is an ordinary OPTIONS. */
  isPreflight(request: HttpRequest): boolean;
  /** Says yes. No key is needed: a browser sends none, and what follows is judged all the same. */
  answerPreflight(request: HttpRequest, response: HttpResponse, methods: readonly string[]): void;
  /** The collector's fields as they may stand beside ours: two voices on origins would be one too many for a browser. */
  reconcile(fields: [name: string, value: string][]): [name: string, value: string][];
}

/** Without Retry-After a page would come back too soon; with the request's id its author can ask what happened. */
const READABLE = 'Retry-After, X-Request-Id';

/** `carriers` are the fields, besides Authorization, that hold a key. */
export function createCors({ origins, maxAgeMs }: CorsRules, carriers: readonly string[]): Cors {
  // The wildcard is for whatever an exporter is told to send along. It covers all but Authorization, and old browsers do
  // not know it.
  const allowedFields = ['Authorization', 'Content-Type', 'Content-Encoding', ...carriers, '*'].join(', ');
  const anyOrigin = isAmong(origins, undefined);

  const isAllowed = ({ headers: { origin } }: HttpRequest): boolean => origin !== undefined && isAmong(origins, origin);

  return {
    mark(request, response) {
      response.setHeader('vary', 'Origin');
      if (!isAllowed(request)) return;
      response.setHeader('access-control-allow-origin', anyOrigin ? '*' : (request.headers.origin ?? ''));
      response.setHeader('access-control-expose-headers', READABLE);
    },
    isPreflight: (request) =>
      request.method === 'OPTIONS' &&
      request.headers['access-control-request-method'] !== undefined &&
      isAllowed(request),
    answerPreflight(request, response, methods) {
      response.writeHead(204, {
        'access-control-allow-methods': methods.join(', '),
        'access-control-allow-headers': allowedFields,
        'access-control-max-age': String(Math.floor(maxAgeMs / 1_000)),
      });
      response.end();
      discardBody(request, () => request.destroy());
    },
    reconcile(fields) {
      const kept = fields.filter(([name]) => !name.startsWith('access-control-'));
      return [...kept, ['vary', 'Origin']];
    },
  };
}
