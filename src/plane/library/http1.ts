import type * as http from 'node:http';
import type { Duplex } from 'node:stream';
import type { PlaneLimits } from '../plane.ts';

/** Node's HTTP/1.1 server, made strict about where a connection ends. */

export interface Http1 {
  /** From now on, and for requests in flight too: each answer is the last one on its connection, and says so. */
  drain(): void;
}

const KEEP_ALIVE_SLACK_MS = 1_000;

export function http1Options(limits: PlaneLimits): http.ServerOptions & { keepAliveTimeout: number } {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.bodyTimeoutMs + limits.headersTimeoutMs,
    // Above what is announced to clients, so that they close an idle connection first and lose no request in between.
    keepAliveTimeout: limits.idleTimeoutMs,
    keepAliveTimeoutBuffer: KEEP_ALIVE_SLACK_MS,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    requireHostHeader: false, // Node would answer, say that it closes, and go on to the next request: see framing.ts
    noDelay: true,
  };
}

export function serveHttp1(
  server: http.Server,
  onRequest: (request: http.IncomingMessage, response: http.ServerResponse) => void,
): Http1 {
  /** The answer to the newest request of each connection. */
  const newest = new WeakMap<Duplex, http.ServerResponse>();
  const unfinished = new Set<http.ServerResponse>();
  let draining = false;

  function serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    // RFC 9112 section 9.6: after an answer that says "close", nothing more is taken from the connection.
    if (newest.get(request.socket)?.getHeader('connection') === 'close') return;
    newest.set(request.socket, response);
    unfinished.add(response);
    response.on('close', () => unfinished.delete(response));
    // Node's parser loses what was pipelined behind an upgrade that nobody wants, and would go on in the middle of it.
    if (draining || request.headers.upgrade !== undefined) response.setHeader('connection', 'close');
    onRequest(request, response);
  }

  /** What could not be parsed is answered in plain text, because no head says what the sender would understand. */
  function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
    // A sender that is too slow gets no status: on 408 it would delete its data, on a closed connection it retries.
    if (!error.code?.startsWith('HPE_') || !socket.writable) return void socket.destroy();
    socket.end(mayAnswer(newest.get(socket)) ? answerTo(error.code) : '');
    // Closed at once, with bytes unread, the connection would be reset and the answer lost with it; but a client that
    // does not close its side may not keep ours.
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  server.maxHeadersCount = 0; // count them ourselves: Node would drop those above its limit in silence (CVE-2026-58044)
  server.on('request', serve);
  server.on('checkContinue', serve);
  server.on('checkExpectation', serve); // other expectations may be ignored (RFC 9110 section 10.1.1)
  server.on('clientError', refuseUnparsed);

  return {
    drain() {
      draining = true;
      for (const response of unfinished) {
        if (!response.headersSent) response.setHeader('connection', 'close');
        else response.on('finish', () => response.req.socket.destroySoon()); // too late to say so
      }
    },
  };
}

const LINGER_MS = 1_000;

/** Whether a status sent now would be read as that of the request which cannot be parsed, and of no other. */
function mayAnswer(newest: http.ServerResponse | undefined): boolean {
  if (newest === undefined) return true;
  return newest.req.complete ? newest.writableFinished : !newest.headersSent;
}

function answerTo(code: string): string {
  const [status, text] =
    code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The request has too many header fields, or they are too large.']
      : ['400 Bad Request', 'The request is not well-formed.'];
  return `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length + 1}\r\nconnection: close\r\n\r\n${text}\n`;
}
