import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { KeyRecord } from '../keys/record.ts';
import type { Answer } from './answer.ts';
import type { Permission } from './roles.ts';
import type { InvalidExpiryType } from './schemas.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Who may call a route: anyone, the holder of any service token, or one whose roles give this permission. */
export type Access = 'public' | 'token' | Permission;

export interface Call {
  readonly request: IncomingMessage;
  /** The segment that stands for {id} in the path. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** The record of the caller's service token; absent on public routes only. */
  readonly caller: KeyRecord | undefined;
}

/** An answer that a route may give, for the OpenAPI document. Those that every route may give are added there. */
export interface AnswerShape {
  readonly description: string;
  readonly schema?: z.ZodType;
}

export interface QueryParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType;
}

/** One row of the route table: what it is, who may use it, what it does, and how to describe it. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
  readonly operationId: string;
  readonly summary: string;
  readonly query?: readonly QueryParameter[];
  readonly body?: z.ZodType;
  /** What StackState's clients expect to see as the _type of a refused expiry. */
  readonly invalidExpiry?: InvalidExpiryType;
  /** Faults are told in one message, as groundcover's clients expect; absent: in StackState's shape. */
  readonly errorForm?: 'message';
  readonly answers: Readonly<Record<number, AnswerShape>>;
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

export type Match =
  | { readonly route: Route; readonly id: string }
  /** The path exists, but not for this method. */
  | { readonly allowed: readonly Method[] }
  | undefined;

/** Finds the row for a request. Paths are taken literally: no decoding, no trailing slash, no case folding. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Match {
  const compiled = routes.map((route) => ({ route, form: new RegExp(`^${route.path.replace('{id}', '([^/]+)')}$`) }));
  return (method, path) => {
    const allowed: Method[] = [];
    for (const { route, form } of compiled) {
      const match = form.exec(path);
      if (match === null) continue;
      if (route.method === method) return { route, id: match[1] ?? '' };
      allowed.push(route.method);
    }
    return allowed.length === 0 ? undefined : { allowed };
  };
}
