import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface RawCall {
  readonly method?: string;
  readonly path: string;
  /** Sent to the letter, Host among them: what a browser would not let a page set, and what an attacker sets. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A request as a browser would send it, with exactly these fields. */
export async function sendAs(url: string, { method = 'GET', path, headers = {}, body }: RawCall): Promise<RawReply> {
  const { hostname, port, host } = new URL(url);
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      path,
      headers: {
        host,
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
      agent: false,
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString('utf8'),
        }),
      );
    });
    sent.end(text);
  });
}

/** What a page of the console adds to its requests by way of the browser. */
export function fromOwnPage(url: string): Record<string, string> {
  return { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin' };
}

export const SESSION = '/console/session';

/** Signs in with a token; the cookie as it is to be sent back. */
export async function signIn(
  url: string,
  token: string,
): Promise<{ readonly reply: RawReply; readonly cookie: string }> {
  const reply = await sendAs(url, { method: 'POST', path: SESSION, headers: fromOwnPage(url), body: { token } });
  const [cookie = ''] = (reply.headers['set-cookie']?.[0] ?? '').split(';', 1);
  return { reply, cookie };
}
