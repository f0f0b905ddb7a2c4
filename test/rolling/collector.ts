import * as http from 'node:http';
import * as http2 from 'node:http2';
import type { Server } from 'node:net';
import { EMPTY_MESSAGE } from '../support/collector.ts';
import { readBatchName } from './batch.ts';

/**
 * A process of its own: `collector <gRPC port> <HTTP port>`. It tells the name of each batch that it has got, before it answers, in JSON
 * lines. On SIGTERM it goes as collectors go: takes no more connections, says so on those that are open, and answers what it has.
 */
const [grpcPort, httpPort] = process.argv.slice(2).map(Number);
const TELL_MS = 50;
const POLL_MS = 10;

let names: string[] = [];
function tell(): void {
  if (names.length > 0) process.stdout.write(`${JSON.stringify(names)}\n`);
  names = [];
}

/** The whole body, and then its name is noted. */
function note(body: NodeJS.ReadableStream, then: () => void): void {
  const chunks: Buffer[] = [];
  body.on('data', (chunk: Buffer) => chunks.push(chunk));
  body.on('end', () => {
    names.push(readBatchName(Buffer.concat(chunks)) ?? 'a request without a name');
    then();
  });
}

const sessions = new Set<http2.ServerHttp2Session>();
const grpc = http2.createServer();
grpc.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.on('error', () => {});
});
grpc.on('stream', (anyStream) => {
  const stream = anyStream as http2.ServerHttp2Stream;
  stream.on('error', () => {});
  note(stream, () => {
    if (stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(EMPTY_MESSAGE);
  });
});

const web = http.createServer((request, response) => {
  note(request, () => response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end());
});
web.keepAliveTimeout = 60_000;

async function listen(server: Server, port: number | undefined): Promise<void> {
  await new Promise<void>((resolve) => server.listen({ port, host: '127.0.0.1' }, resolve));
}

await Promise.all([listen(grpc, grpcPort), listen(web, httpPort)]);
setInterval(tell, TELL_MS);
process.stdout.write('"listening"\n');

process.once('SIGTERM', () => {
  const closed = [grpc, web].map((server) => new Promise((resolve) => server.close(resolve)));
  for (const session of sessions) session.close();
  // Those that have just been answered become idle one after the other.
  setInterval(() => web.closeIdleConnections(), POLL_MS);
  void Promise.all(closed).then(() => {
    tell();
    process.stdout.write('"gone"\n', () => process.exit());
  });
});
