import type { RawFields } from '../credential/read.ts';
import { isAmong } from '../keys/scope.ts';
import type { Origin } from '../keys/scope.ts';

/**
 * What pages of other web origins may do (Fetch standard, "CORS protocol"). Which origins there are is configured: a
 * preflight brings no key that could say so. The key that comes later may be limited further; that is for the verdict.
 */
export interface CorsRules {
  /** Not empty. */
  readonly origins: readonly Origin[];
  readonly maxAgeMs: number;
}

/** What a request says that browsers set. */
export interface PageRequest {
  readonly method: string | undefined;
  readonly origin: string | undefined;
  /** Access-Control-Request-Method. */
  readonly askedMethod: string | undefined;
}

export type Fields = readonly (readonly [name: string, value: string])[];

export interface Cors {
  /**
   * An answer's fields with those that let the page read it, refusals too: what a browser may not read looks like a broken
   * connection to its exporter, which then repeats what was refused for good. Other origins get nothing to read. What the
   * collector says of origins goes: two voices would be one too many for a browser.
   */
  mark(fields: Fields, origin: string | undefined): Fields;
  /** Whether a browser asks if the page may send. From other origins it is an ordinary OPTIONS. */
  isPreflight(request: PageRequest): boolean;
  /** All fields of the yes. No key is needed: a browser sends none, and what follows is judged all the same. */
  permission(methods: readonly string[], origin: string | undefined): Fields;
}

export const PREFLIGHT_STATUS = 204;

/**
 * Without Retry-After a page would come back too soon; with the request's id its author can ask what happened. The others are where
 * gRPC-Web looks for what it was told.
 */
const READABLE = 'Retry-After, X-Request-Id, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin';

/** `carriers` are the fields, besides Authorization, that hold a key. */
export function createCors({ origins, maxAgeMs }: CorsRules, carriers: readonly string[]): Cors {
  // The wildcard is for whatever an exporter is told to send along. It covers all but Authorization, and old browsers do
  // not know it.
  const allowedFields = ['Authorization', 'Content-Type', 'Content-Encoding', ...carriers, '*'].join(', ');
  const anyOrigin = isAmong(origins, undefined);

  const isAllowed = (origin: string | undefined): origin is string => origin !== undefined && isAmong(origins, origin);

  function marks(origin: string | undefined): Fields {
    const byOrigin = ['vary', 'Origin'] as const;
    return isAllowed(origin)
      ? [
          byOrigin,
          ['access-control-allow-origin', anyOrigin ? '*' : origin],
          ['access-control-expose-headers', READABLE],
        ]
      : [byOrigin];
  }

  return {
    mark: (fields, origin) => [...fields.filter(([name]) => !name.startsWith('access-control-')), ...marks(origin)],
    isPreflight: ({ method, origin, askedMethod }) =>
      method === 'OPTIONS' && askedMethod !== undefined && isAllowed(origin),
    permission: (methods, origin) => [
      ...marks(origin),
      ['access-control-allow-methods', methods.join(', ')],
      ['access-control-allow-headers', allowedFields],
      ['access-control-max-age', String(Math.floor(maxAgeMs / 1_000))],
    ],
  };
}

/** From how fields lie in a message. */
export function pairs(fields: RawFields): Fields {
  const list: [name: string, value: string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) list.push([fields[i] as string, fields[i + 1] as string]);
  return list;
}
