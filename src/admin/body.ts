import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { nearest } from '../near.ts';
import { errors } from './answer.ts';
import type { Answer, ErrorStamp } from './answer.ts';

/** Names and descriptions are short; anything near this is not a request for a key. */
export const MAX_BODY_BYTES = 64 * 1024;

export type Parsed<T> = { readonly value: T } | { readonly refused: Answer };

export interface BodyOptions {
  /** Also one that is declared as nothing. Sessions of the console are no reason against it: own-page.ts sees to those. */
  readonly untyped?: boolean;
}

/** Takes the JSON body of a request, and says everything that is wrong with it at once. */
export async function readBody<T>(
  stamp: ErrorStamp,
  request: IncomingMessage,
  schema: z.ZodType<T>,
  { untyped = false }: BodyOptions = {},
): Promise<Parsed<T>> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json' && !(untyped && type === undefined)) {
    const message = 'The body must be JSON: send it with "Content-Type: application/json".';
    return { refused: errors(stamp, 415, 'UnsupportedMediaType', [message]) };
  }
  const bytes = await readAll(request);
  if (bytes === 'too large') {
    const message = `The body is larger than ${MAX_BODY_BYTES} bytes.`;
    // The rest of the body is not read, so nothing more can be understood on this connection.
    return { refused: { ...errors(stamp, 413, 'PayloadTooLarge', [message]), headers: { connection: 'close' } } };
  }
  if (bytes === 'cut short') return { refused: errors(stamp, 400, 'InvalidRequest', ['The body ended early.']) };
  const value = parseJson(bytes);
  if (value === undefined) {
    return { refused: errors(stamp, 400, 'InvalidRequest', ['The body is not valid JSON.']) };
  }
  return check(stamp, schema, value);
}

/** Reports each fault with the path of the field that it is about. */
export function check<T>(stamp: ErrorStamp, schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const faults = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownField(schema, issue.path, key))
      : [`${issue.path.join('.') || 'body'}: ${issue.message}`],
  );
  return { refused: errors(stamp, 400, 'InvalidRequest', faults) };
}

/** A limit that was mistyped must not make a key without one, so fields that are not known are refused. */
function unknownField(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  const known = Object.keys(shapeAt(schema, path));
  const meant = nearest(key, known);
  const advice = meant === undefined ? `the fields are ${known.join(', ')}` : `was ${meant} meant?`;
  return `${[...path, JSON.stringify(key)].join('.')}: there is no such field; ${advice}`;
}

/** The fields of the object at this path in a schema. */
function shapeAt(schema: unknown, path: readonly PropertyKey[]): Readonly<Record<PropertyKey, unknown>> {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return shapeAt(schema.unwrap(), path);
  if (!(schema instanceof z.ZodObject)) return {};
  const [step, ...rest] = path;
  return step === undefined ? schema.shape : shapeAt(schema.shape[String(step)], rest);
}

async function readAll(request: IncomingMessage): Promise<Buffer | 'too large' | 'cut short'> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return 'too large';
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // Leaving the loop must not destroy the socket, on which the refusal still has to go out.
    const stream: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return 'too large';
      chunks.push(chunk);
    }
  } catch {
    return 'cut short';
  }
  return Buffer.concat(chunks);
}

/** JSON has no undefined, so it can stand for "not JSON". The parser's own words quote the body, so they go nowhere. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
