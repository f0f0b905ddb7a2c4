import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import * as tls from 'node:tls';
import type { ListenerOptions, ListenerTls, PlaneLimits } from '../plane.ts';

/** What Node's requests of both HTTP versions have in common. */
export interface HttpRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: net.Socket | tls.TLSSocket;
  /** Whether the whole request was received. */
  readonly complete: boolean;
}

/** What Node's responses of both HTTP versions have in common. */
export interface HttpResponse extends Writable {
  readonly headersSent: boolean;
  writeHead(status: number, headers: http.OutgoingHttpHeaders): unknown;
  writeContinue(): void;
}

export interface EdgeHandlers {
  onHttp(request: HttpRequest, response: HttpResponse): void;
  onGrpc(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, rawHeaders: readonly string[]): void;
  onConnections(open: number): void;
}

/** One data port: HTTP/1.1 and HTTP/2, in plaintext or under TLS, every connection bounded. */
export interface Edge {
  listen(): Promise<net.AddressInfo>;
  /** Stops taking connections, says goodbye on the open ones (GOAWAY, Connection: close) and resolves once all have ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Enough for a telemetry sender on a 50 ms link; what is not yet relayed is bounded by it. */
const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 8 << 20;
/** In MB, the unit of the option. Above the connection window, or large uploads would be cut. */
const MAX_SESSION_MEMORY_MB = 16;
const KEEP_ALIVE_SLACK_MS = 1_000;

export function createEdge(listener: ListenerOptions, limits: PlaneLimits, handlers: EdgeHandlers): Edge {
  const sessions = new Set<http2.ServerHttp2Session>();
  const sockets = new Set<net.Socket>();
  let draining = false;

  // The listening server is always Node's HTTP/1.1 server, so that its timers run; what it would do with a new connection
  // is kept, and done only for those that turn out to speak HTTP/1.1.
  const handshakeEvent = listener.tls ? 'secureConnection' : 'connection';
  const front = listener.tls
    ? https.createServer({ ...http1Options(limits), ...tlsOptions(listener.tls, limits) }, serveHttp1)
    : http.createServer(http1Options(limits), serveHttp1);
  front.maxHeadersCount = 0; // count them ourselves: Node would drop those above its limit in silence (CVE-2026-58044)
  front.maxConnections = limits.maxConnections;
  front.on('checkContinue', serveHttp1);
  front.on('clientError', answerClientError);

  const http2Server = http2.createServer(http2Options(limits));
  serveHttp2(http2Server);

  const serveAsHttp1 = front.listeners(handshakeEvent);
  front.removeAllListeners(handshakeEvent);
  front.on(handshakeEvent, (socket: net.Socket) => {
    const serve = (isHttp2: boolean): void => {
      if (isHttp2) http2Server.emit('connection', socket);
      else for (const listen of serveAsHttp1) listen.call(front, socket);
    };
    if (socket instanceof tls.TLSSocket) {
      if (hasUntrustedCertificate(socket, listener.tls)) socket.destroy();
      else serve(socket.alpnProtocol === 'h2');
    } else {
      readPreface(socket, limits.headersTimeoutMs, serve);
    }
  });
  front.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    handlers.onConnections(sockets.size);
    socket.on('close', () => {
      sockets.delete(socket);
      handlers.onConnections(sockets.size);
    });
  });

  function serveHttp1(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (draining) response.setHeader('connection', 'close');
    handlers.onHttp(request, response);
  }

  function serveHttp2(server: http2.Http2Server): void {
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
      session.on('error', () => session.destroy());
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      // The only thing that ends connections which have nothing more to say, or which are gone without a word.
      session.setTimeout(limits.idleTimeoutMs, () => session.destroy());
      if (draining) session.close();
    });
    server.on('stream', (anyStream, headers, _flags, rawHeaders) => {
      const stream = anyStream as http2.ServerHttp2Stream; // a server's streams are nothing else
      stream.on('error', () => stream.destroy()); // a reset is seen as 'close' by whoever serves the stream
      stream.setTimeout(limits.bodyTimeoutMs, () => stream.close(http2.constants.NGHTTP2_CANCEL));
      if (isGrpc(headers)) handlers.onGrpc(stream, headers, rawHeaders);
      else handlers.onHttp(new http2.Http2ServerRequest(stream, headers, {}, rawHeaders), new http2.Http2ServerResponse(stream));
    });
  }

  async function closeFront(): Promise<void> {
    if (!front.listening) return;
    await new Promise<void>((resolve) => front.close(() => resolve()));
  }

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        front.once('error', reject);
        front.listen({ host: listener.host, port: listener.port }, () => {
          front.removeListener('error', reject);
          resolve(front.address() as net.AddressInfo);
        });
      }),
    async drain() {
      draining = true;
      for (const session of sessions) session.close();
      await closeFront();
    },
    async close() {
      draining = true;
      const closed = closeFront();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function isGrpc(headers: http2.IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('application/grpc') ?? false;
}

function http1Options(limits: PlaneLimits): http.ServerOptions & { keepAliveTimeout: number } {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.bodyTimeoutMs + limits.headersTimeoutMs,
    // Above what is announced to clients, so that they close an idle connection first and lose no request in between.
    keepAliveTimeout: limits.idleTimeoutMs,
    keepAliveTimeoutBuffer: KEEP_ALIVE_SLACK_MS,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    requireHostHeader: true,
    noDelay: true,
  };
}

function tlsOptions({ cert, key, clientCa }: ListenerTls, limits: PlaneLimits): tls.TlsOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.headersTimeoutMs,
    // A certificate that is sent is verified; a client without one is still served: its key decides.
    ...(clientCa ? { ca: clientCa, requestCert: true, rejectUnauthorized: false } : {}),
  };
}

function hasUntrustedCertificate(socket: tls.TLSSocket, listenerTls: ListenerTls | undefined): boolean {
  return listenerTls?.clientCa !== undefined && !socket.authorized && socket.getPeerX509Certificate() !== undefined;
}

function http2Options(limits: PlaneLimits): http2.ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: STREAM_WINDOW_BYTES,
    },
    maxHeaderListPairs: limits.maxHeaders + PSEUDO_HEADERS,
    maxSessionMemory: MAX_SESSION_MEMORY_MB,
    // Floods that cost us work without a request: invalid frames, refused streams (MadeYouReset), resets (rapid reset).
    maxSessionInvalidFrames: 50,
    maxSessionRejectedStreams: 20,
    streamResetBurst: 200,
    streamResetRate: 33,
    unknownProtocolTimeout: limits.headersTimeoutMs,
  };
}

const PSEUDO_HEADERS = 4;
const PREFACE_START = Buffer.from('PRI');

/** Looks at the first three bytes without consuming them; "PRI" begins the preface of HTTP/2 and no HTTP/1.1 method. */
function readPreface(socket: net.Socket, timeoutMs: number, then: (isHttp2: boolean) => void): void {
  const giveUp = (): void => void socket.destroy();
  socket.setTimeout(timeoutMs, giveUp);
  socket.on('error', giveUp);
  const look = (): void => {
    const chunk: unknown = socket.read();
    if (!(chunk instanceof Buffer)) return;
    socket.unshift(chunk);
    if (chunk.length < PREFACE_START.length && PREFACE_START.subarray(0, chunk.length).equals(chunk)) return;
    socket.removeListener('readable', look);
    socket.removeListener('error', giveUp);
    socket.setTimeout(0);
    socket.removeListener('timeout', giveUp);
    then(chunk.subarray(0, PREFACE_START.length).equals(PREFACE_START));
  };
  socket.on('readable', look);
}

/** What could not be parsed as HTTP/1.1: answered in plain text, because no head says what the sender would understand. */
function answerClientError(error: NodeJS.ErrnoException, socket: NodeJS.WritableStream & { writable: boolean; destroy(): void }): void {
  // A sender that is too slow gets no status: on 408 it would delete its data, on a closed connection it retries.
  if (!error.code?.startsWith('HPE_') || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, text] = CLIENT_ERRORS[error.code ?? ''] ?? (['400 Bad Request', 'The request is not well-formed.'] as const);
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length + 1}\r\nconnection: close\r\n\r\n${text}\n`,
  );
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, text: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request has too many header fields, or they are too large.'],
};
