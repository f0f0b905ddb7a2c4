import * as http from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo, Server } from 'node:net';

/** Stands for a collector that looks at what it gets: answers the empty success of OTLP. Prints its ports as one JSON line. */
const EMPTY_MESSAGE = Buffer.alloc(5);

const grpc = http2.createServer();
grpc.on('stream', (anyStream) => {
  const stream = anyStream as http2.ServerHttp2Stream;
  stream.on('error', () => {});
  stream.resume();
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(EMPTY_MESSAGE);
  });
});

const web = http.createServer((request, response) => {
  request.resume();
  request.on('end', () =>
    response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end(),
  );
});
web.keepAliveTimeout = 60_000;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

process.stdout.write(`${JSON.stringify({ grpc: await listen(grpc), http: await listen(web) })}\n`);
