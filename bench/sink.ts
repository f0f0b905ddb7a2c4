import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createGrpcSink } from './sink-grpc.ts';

/**
 * Stands for a gRPC collector that costs nothing: it looks for the ends of requests in the bytes that come in, reads nothing
 * else, and answers the empty success of OTLP. Prints its port as one JSON line.
 */
const server = createServer({ noDelay: true, highWaterMark: 1 << 20 }, (socket) => {
  socket.on('error', () => socket.destroy()); // a sender that goes away is none of our business
  socket.on(
    'data',
    createGrpcSink((bytes) => void socket.write(bytes)),
  );
});
await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve));
process.stdout.write(`${JSON.stringify({ grpc: (server.address() as AddressInfo).port })}\n`);
