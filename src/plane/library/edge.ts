import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type * as net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import * as tls from 'node:tls';
import { watchPort } from '../entrance.ts';
import { listenAt } from '../listen-at.ts';
import { tlsOptions } from '../listener-tls.ts';
import type { ListenerOptions, PlaneLimits, TurnedAway } from '../plane.ts';
import { http1Options, serveHttp1 } from './http1.ts';
import { http2Options, serveHttp2 } from './http2.ts';

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
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers: http.OutgoingHttpHeaders): unknown;
  writeContinue(): void;
}

export interface EdgeHandlers {
  onHttp(request: HttpRequest, response: HttpResponse): void;
  onGrpc(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, rawHeaders: readonly string[]): void;
  onConnections(open: number): void;
  onTurnedAway(why: TurnedAway, peer: string | undefined, cause?: string): void;
}

/** One data port: HTTP/1.1 and HTTP/2, in plaintext or under TLS, every connection bounded. */
export interface Edge {
  listen(): Promise<net.AddressInfo>;
  /** Serves a connection that was taken elsewhere. This edge need not listen. */
  accept(socket: net.Socket): void;
  /** Stops taking connections, says goodbye on the open ones (GOAWAY, Connection: close) and resolves once all have ended. */
  drain(): Promise<void>;
  close(): Promise<void>;
  /** Serves a connection of HTTP/1.1 that somebody else has taken, and that is past TLS. This edge need not listen. */
  adopt(socket: net.Socket): void;
  /** What holds for whoever connects from now on: the certificate, and how many may. */
  renew(listener: ListenerOptions): void;
}

export function createEdge(listener: ListenerOptions, limits: PlaneLimits, handlers: EdgeHandlers): Edge {
  // The listening server is always Node's HTTP/1.1 server, so that its timers run; what it would do with a new connection
  // is kept, and done only for those that turn out to speak HTTP/1.1.
  const handshakeEvent = listener.tls ? 'secureConnection' : 'connection';
  const front = listener.tls
    ? https.createServer({ ...http1Options(limits), ...tlsOptions(listener.tls, limits) })
    : http.createServer(http1Options(limits));
  const http1Side = serveHttp1(front, handlers.onHttp);
  const http2Server = http2.createServer(http2Options(limits));
  const http2Side = serveHttp2(http2Server, limits, handlers);

  const serveAsHttp1 = front.listeners(handshakeEvent);
  front.removeAllListeners(handshakeEvent);
  const { open: sockets, admits, renew } = watchPort(front, { listener, limits, ...handlers });
  front.on(handshakeEvent, (socket: net.Socket) => {
    const serve = (isHttp2: boolean): void => {
      if (isHttp2) {
        // Node's HTTP/1.1 server gives up a connection that its client has ended; under HTTP/2 it would stay, half open, and
        // the collector would work on for a client that is gone.
        socket.allowHalfOpen = false;
        http2Server.emit('connection', socket);
      } else for (const listen of serveAsHttp1) listen.call(front, socket);
    };
    if (socket instanceof tls.TLSSocket) {
      if (admits(socket)) serve(socket.alpnProtocol === 'h2');
    } else {
      readPreface(socket, limits.headersTimeoutMs, serve);
    }
  });

  async function closeFront(): Promise<void> {
    if (!front.listening) return;
    await new Promise<void>((resolve) => front.close(() => resolve()));
  }

  const adopted = new Set<net.Socket>();
  /** Of those that were taken elsewhere the server does not know that they are open. */
  async function allEnded(): Promise<void> {
    const all = [...sockets, ...adopted];
    await Promise.all(all.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  }

  /** Node's server starts its timers when it begins to listen, and looks after no connection before. */
  function startTimers(): void {
    if (!front.listening && sockets.size + adopted.size === 0) front.emit('listening');
  }

  return {
    listen: () => listenAt(front, listener),
    accept(socket) {
      startTimers();
      // As the server makes those that it takes itself.
      socket.allowHalfOpen = !listener.tls;
      socket.setNoDelay(true);
      front.emit('connection', socket);
    },
    async drain() {
      http1Side.drain();
      http2Side.drain();
      // Who has said nothing yet has nothing to finish, and nobody knows how to say goodbye to them.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      // Node closes those that are idle together with the server, and so none of a server that does not listen.
      const farewell = setTimeout(() => front.closeIdleConnections(), FAREWELL_MS);
      await Promise.all([closeFront(), allEnded()]);
      clearTimeout(farewell);
    },
    async close() {
      const closed = closeFront();
      http2Side.close();
      for (const socket of [...sockets, ...adopted]) socket.destroy();
      await closed;
    },
    adopt(socket) {
      startTimers();
      adopted.add(socket);
      socket.on('close', () => adopted.delete(socket));
      for (const listen of serveAsHttp1) listen.call(front, socket);
    },
    renew,
  };
}

/** Who was adopted and sends within this is still answered, and told that it was the last time. */
const FAREWELL_MS = 1_000;

const PREFACE_START = Buffer.from('PRI');

/** Looks at the first three bytes and puts them back; "PRI" begins the preface of HTTP/2 and no method of HTTP/1.1. */
function readPreface(socket: net.Socket, timeoutMs: number, then: (isHttp2: boolean) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const giveUp = (): void => void socket.destroy();
  socket.setTimeout(timeoutMs, giveUp);
  socket.on('error', giveUp);
  const look = (): void => {
    const chunk: unknown = socket.read();
    if (!(chunk instanceof Buffer)) return;
    head = Buffer.concat([head, chunk]);
    // Kept, not put back yet: bytes put back count as new ones, and "P" alone would be looked at for ever.
    if (head.length < PREFACE_START.length && PREFACE_START.subarray(0, head.length).equals(head)) return;
    socket.removeListener('readable', look);
    socket.removeListener('error', giveUp);
    socket.setTimeout(0);
    socket.removeListener('timeout', giveUp);
    socket.unshift(head);
    then(head.subarray(0, PREFACE_START.length).equals(PREFACE_START));
  };
  socket.on('readable', look);
}
