import * as net from 'node:net';
import * as tls from 'node:tls';
import { listenAt } from './listen-at.ts';
import { mustGo, tlsOptions, whyHandshakeFailed } from './listener-tls.ts';
import type { ListenerOptions, PlaneLimits, TurnedAway } from './plane.ts';

/** One port as far as its connections are open, and past TLS where it has that. What they speak is no matter here. */
export interface Entrance {
  listen(): Promise<net.AddressInfo>;
  /** A connection that was taken elsewhere; it need not listen. */
  accept(socket: net.Socket): void;
  /** Connections that are open, whoever serves them, each beneath its TLS. */
  readonly open: ReadonlySet<net.Socket>;
  /** Takes no more connections. */
  shut(): void;
  /** What holds for whoever connects from now on: the certificate, and how many may. */
  renew(listener: ListenerOptions): void;
}

export interface EntranceOptions {
  readonly listener: ListenerOptions;
  readonly limits: Pick<PlaneLimits, 'headersTimeoutMs' | 'maxConnections'>;
  readonly enter: (socket: net.Socket | tls.TLSSocket) => void;
  readonly onConnections: (open: number) => void;
  readonly onTurnedAway: (why: TurnedAway, peer: string | undefined, cause?: string) => void;
}

export function createEntrance({ listener, limits, enter, ...events }: EntranceOptions): Entrance {
  const server = listener.tls ? tls.createServer(tlsOptions(listener.tls, limits)) : net.createServer();
  const { open, admits, renew } = watchPort(server, { listener, limits, ...events });
  if (!listener.tls) server.on('connection', enter);
  server.on('secureConnection', (socket: tls.TLSSocket) => {
    if (admits(socket)) enter(socket);
  });
  server.on('tlsClientError', (_error, socket: tls.TLSSocket) => socket.destroy());

  return {
    listen: () => listenAt(server, listener),
    accept: (socket) => void server.emit('connection', socket),
    open,
    shut() {
      if (server.listening) server.close();
    },
    renew,
  };
}

/** What holds for the connections of any server of a port: how many there may be, and who is turned away. */
export interface WatchedPort extends Pick<Entrance, 'open' | 'renew'> {
  /** Whether who has shaken hands may stay; who may not is gone then. */
  admits(socket: tls.TLSSocket): boolean;
}

export function watchPort(
  server: net.Server,
  { listener, limits, onConnections, onTurnedAway }: Omit<EntranceOptions, 'enter'>,
): WatchedPort {
  const open = new Set<net.Socket>();
  server.maxConnections = limits.maxConnections;
  server.on('connection', (socket: net.Socket) => {
    open.add(socket);
    onConnections(open.size);
    socket.on('close', () => {
      open.delete(socket);
      onConnections(open.size);
    });
  });
  server.on('drop', (dropped) => onTurnedAway('limit', dropped?.remoteAddress));
  server.on('tlsClientError', (error: Error, socket: tls.TLSSocket) =>
    onTurnedAway('handshake', socket.remoteAddress, whyHandshakeFailed(error)),
  );

  return {
    open,
    admits(socket) {
      if (!mustGo(socket, listener.tls)) return true;
      onTurnedAway('certificate', socket.remoteAddress);
      socket.destroy();
      return false;
    },
    renew(next) {
      server.maxConnections = limits.maxConnections;
      if (server instanceof tls.Server && next.tls) server.setSecureContext(tlsOptions(next.tls, limits));
    },
  };
}
