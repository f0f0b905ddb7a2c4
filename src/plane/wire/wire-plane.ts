import type * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ListenerOptions, Plane, Protocol, Renewal } from '../plane.ts';
import { createDoor } from './door.ts';
import type { Door } from './door.ts';
import { HeldBytes } from './held-bytes.ts';
import { Http1ServerConnection } from './http1/server-connection.ts';
import { Http2ServerConnection } from './http2/server-connection.ts';
import type { Relay, RelayContext } from './relay.ts';
import { Roster } from './roster.ts';
import { createHeadReader } from './request-head.ts';
import type { HeadReaderOptions } from './request-head.ts';
import type { Http1Context } from './http1/server-connection.ts';
import { FAREWELL_MS } from './server-connection.ts';
import type { ServerConnection } from './server-connection.ts';
import { trimSlabs } from './slabs.ts';
import type { Transport } from './transport.ts';

export interface WirePlaneOptions
  extends
    Omit<RelayContext, 'underWay' | 'held'>,
    Omit<HeadReaderOptions, 'gate'>,
    Pick<Http1Context, 'cors' | 'isVarying' | 'varyingInBlocks'> {
  readonly listen: Readonly<Record<Protocol, ListenerOptions>>;
  /** Looks after the connections to the collector, a few times a second. */
  readonly checkUpstreams: (nowMs: number) => void;
  /** Serves what this plane leaves to Node's own servers: it gets the connection before a byte of the request went on. */
  readonly fallback: {
    adopt(port: Protocol, socket: net.Socket): void;
    drain(timeoutMs: number): Promise<void>;
    close(): Promise<void>;
    renew(next: Renewal): void;
  };
}

/** How often everything that has a time is looked at: no request has a timer of its own. */
const CHECK_INTERVAL_MS = 100;
/** How long the last answers may take to leave. */
const LAST_ANSWERS_MS = 250;
const DRAIN_POLL_MS = 20;

/** The data path on bytes. */
export function createWirePlane(options: WirePlaneOptions): Plane {
  const { listen, limits, observer, fallback } = options;
  const underWay = new Roster<Relay>();
  const held = new HeldBytes(limits);
  const connections = new Set<ServerConnection>();
  const readHead = createHeadReader(options);
  let { cors } = options;
  let isDraining = false;

  function openDoor(port: Protocol): Door {
    const context: Http1Context = {
      ...options,
      get cors() {
        return cors;
      },
      underWay,
      held,
      connections,
      readHead,
      draining: () => isDraining,
      handOver: (transport, unread) => fallback.adopt(port, transport.toSocket(unread)),
    };
    return createDoor({
      listener: listen[port],
      limits,
      serve(transport, protocol, first) {
        serveConnection(transport, protocol, context);
        transport.events.onBytes(first);
      },
      onConnections: (open) => observer.connections(port, open),
      onTurnedAway: (...away) => observer.turnedAway(port, ...away),
    });
  }

  const doors = { grpc: openDoor('grpc'), http: openDoor('http') };
  const bothDoors = [doors.grpc, doors.http];

  function check(): void {
    const nowMs = performance.now();
    for (const relay of underWay) relay.check(nowMs);
    for (const connection of connections) connection.check(nowMs);
    for (const door of bothDoors) door.check(nowMs);
    options.checkUpstreams(nowMs);
    trimSlabs();
  }
  // Behind the reading of what has come: where we were late, nobody is ended for a silence that was ours.
  const checking = setInterval(() => setImmediate(check), CHECK_INTERVAL_MS).unref();

  async function close(): Promise<void> {
    isDraining = true;
    clearInterval(checking);
    for (const door of bothDoors) {
      door.shut();
      door.destroy();
    }
    for (const connection of connections) connection.destroy();
    await fallback.close();
  }

  return {
    async listen() {
      try {
        const [grpc, http] = await Promise.all([doors.grpc.listen(), doors.http.listen()]);
        return { grpc: { host: grpc.address, port: grpc.port }, http: { host: http.address, port: http.port } };
      } catch (error) {
        await close();
        throw error;
      }
    },
    heldBytes: () => held.total,
    accept: (port, socket) => doors[port].accept(socket),
    async drain(timeoutMs) {
      isDraining = true;
      for (const door of bothDoors) door.shut();
      for (const connection of connections) connection.drain();
      const farewellMs = performance.now() + FAREWELL_MS;
      const mayBegin = (): boolean => performance.now() < farewellMs && bothDoors.some(({ open }) => open.size > 0);
      const timers = [
        setTimeout(() => {
          for (const relay of underWay) relay.interrupt();
        }, timeoutMs),
        setTimeout(() => void close(), timeoutMs + LAST_ANSWERS_MS),
      ];
      await fallback.drain(timeoutMs);
      while (connections.size > 0 || mayBegin()) await delay(DRAIN_POLL_MS);
      await fallback.drain(timeoutMs); // what was handed to it meanwhile
      for (const timer of timers) clearTimeout(timer);
    },
    close,
    renew(next) {
      cors = next.cors;
      doors.grpc.renew(next.listen.grpc);
      doors.http.renew(next.listen.http);
      fallback.renew(next);
    },
  };
}

function serveConnection(transport: Transport, protocol: 'http1' | 'http2', context: Http1Context): void {
  transport.events =
    protocol === 'http2'
      ? new Http2ServerConnection(transport, context)
      : new Http1ServerConnection(transport, context);
}
