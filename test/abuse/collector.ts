import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createGrpcSink } from '../../bench/sink-grpc.ts';
import { createHttpSink } from './http-sink.ts';

/**
 * Stands for a collector that is never what anybody waits for, in a process of its own: it only looks for the ends of requests.
 * Prints its ports as one JSON line.
 */
async function listen(createSink: (write: (bytes: Buffer) => void) => (chunk: Buffer) => void): Promise<number> {
  const server = createServer({ noDelay: true, highWaterMark: 1 << 20 }, (socket: Socket) => {
    socket.on('error', () => socket.destroy()); // the gateway may end a call as it likes
    socket.on(
      'data',
      createSink((bytes) => void socket.write(bytes)),
    );
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve));
  return (server.address() as AddressInfo).port;
}

process.stdout.write(`${JSON.stringify({ grpc: await listen(createGrpcSink), http: await listen(createHttpSink) })}\n`);
