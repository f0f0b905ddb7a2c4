import * as http from 'node:http';
import * as https from 'node:https';
import type { Attempt, ClientOptions } from './clients.ts';

const MAX_SOCKETS = 128;
const TIMEOUT_MS = 10_000;
/** What the specification of OTLP has retried. */
const RETRIED = new Set([429, 502, 503, 504]);

/** Requests on connections that are kept. One that broke is retried, as by a Collector's exporter, and by nobody else. */
export function createHttpCalls({ url, key }: ClientOptions): (body: Buffer) => Promise<Attempt> {
  const { Agent, request: open } = url.startsWith('https:') ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const options = { method: 'POST', agent, timeout: TIMEOUT_MS };
  const target = new URL('/v1/traces', url);
  return (body) =>
    new Promise((resolve) => {
      const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length, 'x-api-key': key };
      const request = open(target, { ...options, headers }, (response) => {
        const status = response.statusCode ?? 0;
        let said = '';
        response.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
        response.on('error', (error) => resolve({ retry: true, why: error.message }));
        response.on('end', () =>
          resolve(status === 200 ? 'accepted' : { retry: RETRIED.has(status), why: `${status} ${inWords(said)}` }),
        );
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) => resolve({ retry: true, why: error.message }));
      request.end(body);
    });
}

/** What of a refusal can be read. */
function inWords(said: string): string {
  return said.replaceAll(/[^ -~]+/g, ' ').slice(0, 200);
}
