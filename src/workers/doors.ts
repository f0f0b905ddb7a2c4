import * as net from 'node:net';
import { listen } from '../listening.ts';
import type { PlaneAddresses, Protocol } from '../plane/plane.ts';

/** The data ports, where connections are taken for whoever is to serve them. */
export interface Doors {
  listen(addresses: Readonly<Record<Protocol, string>>): Promise<PlaneAddresses>;
  /** Takes no more. */
  shut(): void;
}

/** Not a byte is read here: what a connection says is for the one that serves it. */
export function createDoors(arrived: (port: Protocol, socket: net.Socket) => void): Doors {
  const door = (port: Protocol): net.Server =>
    net.createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {}); // it left before anybody could serve it
      arrived(port, socket);
    });
  const doors = { grpc: door('grpc'), http: door('http') };
  return {
    async listen(addresses) {
      const [grpc, http] = await Promise.all([listen(doors.grpc, addresses.grpc), listen(doors.http, addresses.http)]);
      // A connection that could not be taken, for want of descriptors.
      for (const each of [doors.grpc, doors.http]) each.on('error', () => {});
      return { grpc, http };
    },
    shut() {
      for (const each of [doors.grpc, doors.http]) if (each.listening) each.close();
    },
  };
}
