import type * as net from 'node:net';
import type { Gate } from '../../gate.ts';
import { createToUpstream } from '../../headers.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { GrpcChannel } from '../../upstream/grpc-channel.ts';
import type { Cors } from '../cors.ts';
import type { GrpcRoutes, HttpRoutes } from '../routes.ts';
import type { ListenerOptions, Plane, PlaneLimits, PlaneObserver, Protocol } from '../plane.ts';
import { createEdge } from './edge.ts';
import type { Edge } from './edge.ts';
import { createExchanges } from './exchange.ts';
import { createGrpcRelay } from './grpc-relay.ts';
import { createHttpRelay } from './http-relay.ts';

export interface LibraryPlaneOptions {
  readonly gate: Gate;
  readonly listen: { readonly grpc: ListenerOptions; readonly http: ListenerOptions };
  readonly channel: GrpcChannel | undefined;
  readonly grpcRoutes: GrpcRoutes;
  readonly routes: HttpRoutes;
  /** Fields that hold a credential, besides Authorization: they are never passed on. */
  readonly carriers: readonly string[];
  /** The name by which the collector knows a tenant, besides ours. */
  readonly tenantHeader: string | undefined;
  /** Absent: browsers may not send from pages of other origins. */
  readonly cors: Cors | undefined;
  /** Hears of the bytes of each body as they pass. */
  readonly debit: (key: KeyRecord, bytes: number) => void;
  readonly limits: PlaneLimits;
  readonly observer: PlaneObserver;
  readonly now: () => number;
}

export interface LibraryPlane extends Plane {
  /** Serves a connection of HTTP/1.1 that the other plane has taken; this one need not listen. */
  adopt(port: Protocol, socket: net.Socket): void;
}

/** How long the last answers may take to leave. */
const FAREWELL_MS = 250;

/** The data path on @grpc/grpc-js and http-proxy, behind Node's own HTTP servers. */
export function createLibraryPlane(options: LibraryPlaneOptions): LibraryPlane {
  const toUpstream = createToUpstream(options);
  let { cors } = options;
  const { listen, limits, observer } = options;
  const exchanges = createExchanges(observer);
  const onGrpc = createGrpcRelay({ ...options, exchanges, toUpstream });
  const onHttp = createHttpRelay({
    ...options,
    exchanges,
    toUpstream,
    get cors() {
      return cors;
    },
  });
  const edge = (port: 'grpc' | 'http'): Edge =>
    createEdge(listen[port], limits, {
      onGrpc,
      onHttp,
      onConnections: (open) => observer.connections(port, open),
      onTurnedAway: (...away) => observer.turnedAway(port, ...away),
    });
  const edges = { grpc: edge('grpc'), http: edge('http') };
  const both = [edges.grpc, edges.http];

  async function close(): Promise<void> {
    await Promise.all(both.map((each) => each.close()));
  }

  return {
    async listen() {
      try {
        const [grpc, http] = await Promise.all([edges.grpc.listen(), edges.http.listen()]);
        return { grpc: { host: grpc.address, port: grpc.port }, http: { host: http.address, port: http.port } };
      } catch (error) {
        await close();
        throw error;
      }
    },
    heldBytes: () => 0,
    accept: (port, socket) => edges[port].accept(socket),
    async drain(timeoutMs) {
      const timers = [
        setTimeout(() => exchanges.interrupt(), timeoutMs),
        setTimeout(() => void close(), timeoutMs + FAREWELL_MS),
      ];
      await Promise.all(both.map((each) => each.drain()));
      for (const timer of timers) clearTimeout(timer);
    },
    close,
    renew(next) {
      cors = next.cors;
      edges.grpc.renew(next.listen.grpc);
      edges.http.renew(next.listen.http);
    },
    adopt: (port, socket) => edges[port].adopt(socket),
  };
}
