import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';

/** Returns the tracking key that the caller was given, if any. */
export function sendAnswer(response: ServerResponse, answer: Answer): string | undefined {
  const { status, body, headers } = answer;
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    // Answers hold key names, and once in their lives the keys themselves.
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(status !== 204 && { 'content-length': Buffer.byteLength(text) }),
    ...headers,
  });
  response.end(text);
  return answer.trackingKey ?? (isTracked(body) ? body.trackingKey : undefined);
}

function isTracked(body: unknown): body is { readonly trackingKey: string } {
  return typeof body === 'object' && body !== null && 'trackingKey' in body && typeof body.trackingKey === 'string';
}
