import * as net from 'node:net';
import type { TestContext } from 'node:test';
import { listenOnLoopback } from './collector.ts';

export interface BrokenServer {
  readonly url: string;
  /** Connections taken so far. */
  readonly taken: () => number;
}

/** Listens, and does to each connection what it is told: for collectors that do not even speak HTTP. */
export async function startBrokenServer(
  t: TestContext,
  onConnection: (socket: net.Socket) => void,
): Promise<BrokenServer> {
  const sockets = new Set<net.Socket>();
  let taken = 0;
  const server = net.createServer((socket) => {
    taken += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listenOnLoopback(server);
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, taken: () => taken };
}
