import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { HELLO } from './sink-grpc.ts';

/**
 * Stands for a collector that is stuck: it takes connections and says over HTTP/2 how much it would take, but reads nothing.
 * Prints its ports as one JSON line.
 */
async function listen(greeting: Buffer): Promise<number> {
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve));
  return (server.address() as AddressInfo).port;
}

process.stdout.write(`${JSON.stringify({ grpc: await listen(HELLO), http: await listen(Buffer.alloc(0)) })}\n`);
