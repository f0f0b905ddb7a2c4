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

export function createEntrance({ listener, limits, enter, onConnections, onTurnedAway }: EntranceOptions): Entrance {
  const open = new Set<net.Socket>();
  const server = listener.tls ? tls.createServer(tlsOptions(listener.tls, limits)) : net.createServer();
  server.maxConnections = limits.maxConnections;
  server.on('connection', (socket: net.Socket) => {
    open.add(socket);
    onConnections(open.size);
    socket.on('close', () => {
      open.delete(socket);
      onConnections(open.size);
    });
    if (!listener.tls) enter(socket);
  });
  server.on('secureConnection', (socket: tls.TLSSocket) => {
    if (mustGo(socket, listener.tls)) {
      onTurnedAway('certificate', socket.remoteAddress);
      socket.destroy();
    } else enter(socket);
  });
  server.on('tlsClientError', (error, socket: tls.TLSSocket) => {
    onTurnedAway('handshake', socket.remoteAddress, whyHandshakeFailed(error));
    socket.destroy();
  });
  server.on('drop', (dropped) => onTurnedAway('limit', dropped?.remoteAddress));

  return {
    listen: () => listenAt(server, listener),
    accept: (socket) => void server.emit('connection', socket),
    open,
    shut() {
      if (server.listening) server.close();
    },
    renew(next) {
      server.maxConnections = limits.maxConnections;
      if (server instanceof tls.Server && next.tls) server.setSecureContext(tlsOptions(next.tls, limits));
    },
  };
}
