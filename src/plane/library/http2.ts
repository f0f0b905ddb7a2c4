import * as http2 from 'node:http2';
import type * as net from 'node:net';
import { isGrpcType } from '../../grpc-type.ts';
import type { PlaneLimits } from '../plane.ts';
import { outliveStreams } from './http2-session-life.ts';
import { exceedsHeaderLimits } from './limits.ts';

/** Node's HTTP/2 server, with bounds on what a connection and its streams may take. */

/**
 * What a stream may send before it is relayed: 2.6 MB/s for each stream on a 50 ms link. A collector that reads nothing
 * makes the gateway hold this much of every request, so it is no larger.
 */
const STREAM_WINDOW_BYTES = 1 << 17;
const CONNECTION_WINDOW_BYTES = 8 << 20;
/**
 * Not limited: answers that wait for a slow reader count too, and beyond it Node resets new requests with a code on which
 * senders delete their data. What one connection may hold is bounded without it: bodies by the window above, heads by
 * maxStreams and by our own refusal of what is too large, and what a client does not read by Node, which reads nothing from
 * a connection that it cannot write to.
 */
const MAX_SESSION_MEMORY_MB = Number.MAX_SAFE_INTEGER;

/**
 * Node ends a session by writing the rest, and lets go of the socket when that is written: never, if the client reads
 * nothing. A socket is given up when its session has been over for this long; after twice as long at the latest.
 */
const LAST_WRITE_MS = 1_500;

const PSEUDO_HEADERS = 4;
/** Refused heads hold memory until they are collected, up to a hundred times their compressed size (CVE-2026-49975). */
const MAX_OVERSIZED_HEADS = 3;

export function http2Options(limits: PlaneLimits): http2.ServerOptions {
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

export interface Http2Handlers {
  onGrpc(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, rawHeaders: readonly string[]): void;
  onHttp(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void;
}

export interface Http2 {
  /** Says goodbye on every connection, and on those still to come; each ends with its last stream. */
  drain(): void;
  close(): void;
}

export function serveHttp2(server: http2.Http2Server, limits: PlaneLimits, { onGrpc, onHttp }: Http2Handlers): Http2 {
  const sessions = new Map<http2.Http2Session, net.Socket | undefined>();
  const over = new WeakSet<http2.Http2Session>();
  const oversizedHeads = new WeakMap<http2.Http2Session, number>();
  let draining = false;

  /** The socket of the session that comes next: a session itself gives no hold on its socket. */
  let newest: net.Socket | undefined;
  server.prependListener('connection', (socket: net.Socket) => (newest = socket));
  const givingUp = setInterval(() => {
    for (const [session, socket] of sessions) {
      if (over.has(session)) socket?.destroy();
      else if (session.destroyed) over.add(session);
    }
  }, LAST_WRITE_MS).unref();

  server.on('session', (session) => {
    sessions.set(session, newest);
    newest = undefined;
    outliveStreams(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    // The only thing that ends connections which have nothing more to say, or which are gone without a word. Whoever has
    // not even sent its preface and its settings waits no longer than for a request head.
    session.setTimeout(limits.headersTimeoutMs, () => session.destroy());
    session.once('remoteSettings', () => session.setTimeout(limits.idleTimeoutMs));
    if (draining) session.close();
  });

  server.on('stream', (anyStream, headers, _flags, rawHeaders) => {
    const stream = anyStream as http2.ServerHttp2Stream; // a server's streams are nothing else
    stream.on('error', () => stream.destroy()); // a reset is seen as 'close' by whoever serves the stream
    if (exceedsHeaderLimits(rawHeaders, limits) && isOneTooMany(stream)) return;
    boundStream(stream, limits);
    if (isGrpcType(headers['content-type'])) onGrpc(stream, headers, rawHeaders);
    else onHttp(new http2.Http2ServerRequest(stream, headers, {}, rawHeaders), new http2.Http2ServerResponse(stream));
  });

  /** The first are answered, for the sake of those who do not know better; a connection with more of them is ended. */
  function isOneTooMany({ session }: http2.ServerHttp2Stream): boolean {
    if (session === undefined) return true;
    const count = (oversizedHeads.get(session) ?? 0) + 1;
    oversizedHeads.set(session, count);
    if (count <= MAX_OVERSIZED_HEADS) return false;
    session.destroy(undefined, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    return true;
  }

  return {
    drain() {
      draining = true;
      for (const session of sessions.keys()) session.close();
    },
    close() {
      draining = true;
      clearInterval(givingUp);
      for (const session of sessions.keys()) session.destroy();
    },
  };
}

/** Senders retry what was cancelled. */
function boundStream(stream: http2.ServerHttp2Stream, { bodyTimeoutMs, idleTimeoutMs }: PlaneLimits): void {
  const cancel = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
  const bodyTimer = setTimeout(cancel, bodyTimeoutMs);
  const received = (): void => clearTimeout(bodyTimer);
  stream.on('end', received);
  stream.on('close', received);
  stream.setTimeout(idleTimeoutMs, cancel); // for one that does not read its answer, on a connection that is in use
}
