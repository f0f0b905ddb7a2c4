import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors, forbidden } from '../admin/answer.ts';
import type { Answer } from '../admin/answer.ts';
import type { AdminObserver } from '../admin/handler.ts';
import { sendAnswer } from '../admin/send.ts';
import type { Credential, Gate } from '../gate.ts';
import { createAttempts } from './attempts.ts';
import { endedCookie, readSessionCookie } from './cookie.ts';
import { ownOriginOf } from './own-host.ts';
import type { OwnOrigin } from './own-host.ts';
import { comesFromOwnPage } from './own-page.ts';
import { PAGE_HEADERS, readPages } from './pages.ts';
import { createSessions } from './sessions.ts';
import { createSessionRoutes } from './session-routes.ts';
import type { ConsoleObserver } from './session-routes.ts';

export interface ConsoleOptions {
  readonly gate: Gate;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
  /** Where browsers see this server, if it is neither an address nor localhost. */
  readonly publicUrl?: string | undefined;
  readonly observe: ConsoleObserver & AdminObserver;
}

export interface Console {
  /** Answers what is for the console; false where it is not. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** The credential of a request that comes with a session instead of a token; undefined where it has no session. */
  session(request: IncomingMessage): Credential | { readonly refused: Answer } | undefined;
}

/** Sent with requests that a page makes by itself while nobody touches it. */
const POLL_FIELD = 'x-keygate-poll';
const SESSION_PATH = '/console/session';

const NOT_OUR_NAME =
  'The console is not known by this host name. Set admin.publicUrl to the address that stands in the browser, or open it by the IP address or as localhost.';
const NOT_OUR_PAGE =
  'This request was not sent by a page of this console. If a proxy with TLS is in front of it, set admin.publicUrl to the address that stands in the browser.';

/** The console: its pages, and the sessions with which they use the admin API. */
export function createConsole(options: ConsoleOptions): Console {
  const { gate, version, now, random, publicUrl, observe } = options;
  const stamp = { now };
  const pages = readPages();
  const sessions = createSessions({ now, random });
  const routes = createSessionRoutes({ gate, sessions, attempts: createAttempts(now), version, now, observe });

  /** Whether a request may have a session at all: on every way on which a cookie counts, and when one is given. */
  function trust(request: IncomingMessage): { readonly own: OwnOrigin } | { readonly refused: Answer } {
    const own = ownOriginOf(request.headers.host, publicUrl);
    if (own === undefined) return { refused: errors(stamp, 421, 'MisdirectedRequest', [NOT_OUR_NAME]) };
    if (!comesFromOwnPage(request, own.origin)) return { refused: forbidden(stamp, NOT_OUR_PAGE) };
    return { own };
  }

  function idOf(request: IncomingMessage, { isSecure }: OwnOrigin): string | undefined {
    return readSessionCookie(request.headers.cookie, isSecure);
  }

  function session(request: IncomingMessage): Credential | { readonly refused: Answer } | undefined {
    const hasOne = [true, false].some((isSecure) => readSessionCookie(request.headers.cookie, isSecure) !== undefined);
    if (!hasOne) return undefined;
    const trusted = trust(request);
    if ('refused' in trusted) return trusted;
    const id = idOf(request, trusted.own);
    const use = request.headers[POLL_FIELD] === undefined ? 'used' : 'polled';
    return id === undefined ? undefined : sessions.find(id, use);
  }

  async function answerSession(request: IncomingMessage): Promise<Answer> {
    const trusted = trust(request);
    if ('refused' in trusted) return trusted.refused;
    const { isSecure } = trusted.own;
    const id = idOf(request, trusted.own);
    switch (request.method) {
      case 'GET':
        return routes.who(session(request));
      case 'POST': {
        const answer = await routes.signIn(request, isSecure);
        if (answer.status === 200 && id !== undefined) sessions.end(id);
        return answer;
      }
      case 'DELETE':
        if (id !== undefined) sessions.end(id);
        return { status: 204, headers: { 'set-cookie': endedCookie(isSecure) } };
      default: {
        const allow = 'GET, POST, DELETE';
        return { ...errors(stamp, 405, 'MethodNotAllowed', [`This path takes ${allow}.`]), headers: { allow } };
      }
    }
  }

  async function serveSession(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = now();
    const answer = await answerSession(request);
    const trackingKey = sendAnswer(response, answer);
    observe.answered({
      method: request.method ?? '',
      route: SESSION_PATH,
      status: answer.status,
      durationMs: now() - startedAt,
      ...(answer.cause !== undefined && { cause: answer.cause }),
      ...(trackingKey !== undefined && { trackingKey }),
    });
  }

  function sendPage(request: IncomingMessage, response: ServerResponse, name: string): void {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const page = pages.get(name);
    if (ownOriginOf(request.headers.host, publicUrl) === undefined) sendText(response, 421, NOT_OUR_NAME);
    else if (page === undefined) sendText(response, 404, 'There is no such page. The console is at /console/.');
    else if (!isRead) sendText(response, 405, 'Pages take GET and HEAD.', { allow: 'GET, HEAD' });
    else if (request.headers['if-none-match'] === page.etag) response.writeHead(304, page.headers).end();
    else {
      response.writeHead(200, { ...page.headers, 'content-length': page.bytes.length });
      response.end(request.method === 'HEAD' ? undefined : page.bytes);
    }
  }

  return {
    session,
    serve(request, response) {
      const [path = ''] = (request.url ?? '').split('?', 1);
      if (path === SESSION_PATH) {
        void serveSession(request, response);
        return true;
      }
      if (path === '/' || path === '/console') {
        response.writeHead(302, { ...PAGE_HEADERS, location: '/console/', 'content-length': 0 }).end();
        return true;
      }
      if (!path.startsWith('/console/')) return false;
      sendPage(request, response, path.slice('/console/'.length) || 'index.html');
      return true;
    },
  };
}

function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...PAGE_HEADERS,
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(`${text}\n`);
}
