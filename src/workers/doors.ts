import * as net from 'node:net';
import { listen } from '../listening.ts';
import type { BoundAddress, Port, Protocol } from '../plane/plane.ts';

/** Where connections are taken for whoever is to serve them. */
export interface Doors {
  /** The data ports are always there, those for other proxies if they have an address. */
  listen(addresses: DoorAddresses<string>): Promise<DoorAddresses<BoundAddress>>;
  /** Takes no more. */
  shut(): void;
}

export type DoorAddresses<T> = Readonly<Record<Protocol, T> & Partial<Record<Port, T>>>;

/** Not a byte is read here: what a connection says is for the one that serves it. */
export function createDoors(arrived: (port: Port, socket: net.Socket) => void): Doors {
  const doors: net.Server[] = [];

  async function open(port: Port, address: string): Promise<BoundAddress> {
    const door = net.createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {}); // it left before anybody could serve it
      arrived(port, socket);
    });
    doors.push(door);
    const bound = await listen(door, address);
    door.on('error', () => {}); // a connection that could not be taken, for want of descriptors
    return bound;
  }

  return {
    async listen({ grpc, http, ...others }) {
      const [grpcAddress, httpAddress, ...otherAddresses] = await Promise.all([
        open('grpc', grpc),
        open('http', http),
        ...Object.entries(others).map(async ([port, address]) => [port, await open(port as Port, address)] as const),
      ]);
      return { ...Object.fromEntries(otherAddresses), grpc: grpcAddress, http: httpAddress };
    },
    shut() {
      for (const door of doors) if (door.listening) door.close();
    },
  };
}
