import { createHash } from 'node:crypto';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Scope } from './scope.ts';

/** One request as it arrived behind the gateway. */
export interface Arrival {
  readonly protocol: 'grpc' | 'http';
  readonly method: string;
  readonly path: string;
  /** Names in lower case, each with all its values. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly bodyBytes: number;
  readonly bodySha256: string;
  /** Kept up to 1 MiB. */
  readonly body: Buffer;
}

export interface CollectorOptions {
  /** To come back where another one was; free ports if absent. */
  readonly ports?: { readonly grpc: number; readonly http: number };
  /** Of this machine; 127.0.0.1 if absent. */
  readonly host?: string;
  /** Takes a gRPC call over at its head: it is counted as begun and nothing else. */
  readonly onGrpcHead?: (stream: http2.ServerHttp2Stream) => void;
  /** Takes an HTTP request over at its head: it is counted as begun and nothing else. */
  readonly onHttpHead?: (request: http.IncomingMessage, response: http.ServerResponse) => void;
  /** Answers a gRPC call once its request has ended; default: an empty message and status 0. */
  readonly onGrpc?: (stream: http2.ServerHttp2Stream, arrival: Arrival) => void;
  /** Answers an HTTP request once its body has ended; default: 200 with an empty body in the request's Content-Type. */
  readonly onHttp?: (response: http.ServerResponse, arrival: Arrival) => void;
}

export interface Collector {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  readonly arrivals: readonly Arrival[];
  /** Requests whose head arrived. */
  readonly begun: () => number;
  /** Connections that are open. */
  readonly connections: () => number;
  /** Connections that there were so far. */
  readonly connected: () => number;
  /** Requests that have begun and that have not ended in any way. */
  readonly open: () => number;
  /** Requests that were begun and cut off before their end. */
  readonly cut: () => number;
  close(): Promise<void>;
}

const KEPT_BYTES = 1 << 20;
export const EMPTY_MESSAGE = Buffer.alloc(5);

/** Stands behind the gateway on node:http2 and node:http, and records exactly what arrived. */
export async function startCollector(t: Scope, options: CollectorOptions = {}): Promise<Collector> {
  const arrivals: Arrival[] = [];
  let begun = 0;
  let open = 0;
  let cut = 0;
  let connected = 0;
  const sockets = new Set<Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();

  const grpc = http2.createServer({ settings: { initialWindowSize: 1 << 20 } });
  grpc.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  grpc.on('stream', (anyStream, headers, _flags, rawHeaders) => {
    const stream = anyStream as http2.ServerHttp2Stream;
    let complete = false;
    begun += 1;
    open += 1;
    stream.on('error', () => {});
    stream.on('close', () => {
      open -= 1;
      if (!complete) cut += 1;
    });
    if (options.onGrpcHead) return options.onGrpcHead(stream);
    void recordBody(stream).then(
      (body) => {
        if (stream.aborted || stream.destroyed) return;
        complete = true;
        const arrival = {
          protocol: 'grpc',
          method: headers[':method'] ?? '',
          path: headers[':path'] ?? '',
          headers: grouped(rawHeaders),
          ...body,
        } as const;
        arrivals.push(arrival);
        (options.onGrpc ?? answerGrpc)(stream, arrival);
      },
      () => {},
    );
  });

  const web = http.createServer((request, response) => {
    begun += 1;
    open += 1;
    request.on('close', () => void (request.complete || (cut += 1)));
    response.on('close', () => (open -= 1));
    if (options.onHttpHead) return options.onHttpHead(request, response);
    void recordBody(request).then(
      (body) => {
        const arrival = {
          protocol: 'http',
          method: request.method ?? '',
          path: request.url ?? '',
          headers: grouped(request.rawHeaders),
          ...body,
        } as const;
        arrivals.push(arrival);
        (options.onHttp ?? answerHttp)(response, arrival);
      },
      () => {},
    );
  });

  for (const server of [grpc, web]) {
    server.on('connection', (socket: Socket) => {
      connected += 1;
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
  }
  const ports = await Promise.all([
    listenOnLoopback(grpc, options.ports?.grpc, options.host),
    listenOnLoopback(web, options.ports?.http, options.host),
  ]);
  const close = async (): Promise<void> => {
    for (const session of sessions) session.destroy();
    web.closeAllConnections();
    await Promise.all(
      [grpc, web].map((server) => (server.listening ? new Promise((resolve) => server.close(resolve)) : undefined)),
    );
  };
  t.after(close);
  return {
    grpcUrl: `http://${options.host ?? '127.0.0.1'}:${ports[0]}`,
    httpUrl: `http://${options.host ?? '127.0.0.1'}:${ports[1]}`,
    arrivals,
    begun: () => begun,
    connections: () => sockets.size,
    connected: () => connected,
    open: () => open,
    cut: () => cut,
    close,
  };
}

export function answerGrpc(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(EMPTY_MESSAGE);
}

export function answerHttp(response: http.ServerResponse, arrival: Arrival): void {
  const type = arrival.headers['content-type']?.[0] ?? 'application/x-protobuf';
  response.writeHead(200, { 'content-type': type });
  response.end(type.startsWith('application/json') ? '{}' : '');
}

export async function listenOnLoopback(server: Server, port = 0, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

async function recordBody(body: AsyncIterable<Buffer>): Promise<Pick<Arrival, 'body' | 'bodyBytes' | 'bodySha256'>> {
  const sha = createHash('sha256');
  const kept: Buffer[] = [];
  let bodyBytes = 0;
  for await (const chunk of body) {
    sha.update(chunk);
    if (bodyBytes < KEPT_BYTES) kept.push(chunk);
    bodyBytes += chunk.length;
  }
  return { body: Buffer.concat(kept), bodyBytes, bodySha256: sha.digest('hex') };
}

function grouped(rawHeaders: readonly string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>(); // not an object: a field may be called "constructor"
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), rawHeaders[i + 1] ?? '']);
  }
  return Object.fromEntries(headers);
}
