import * as http2 from 'node:http2';
import { connect } from 'node:net';
import { GRPC_PATH, HTTP_PATH } from './scenarios.ts';

/** Clients that each push one large request as fast as it is taken, until the process is ended. */
export interface PushersOptions {
  readonly protocol: 'grpc' | 'http';
  readonly port: number;
  readonly key: string;
  readonly clients: number;
  readonly bytes: number;
}

const { protocol, port, key, clients, bytes } = JSON.parse(process.argv[2] ?? '{}') as PushersOptions;
/** All of them send the same bytes, which are here only once. */
const BODY = Buffer.alloc(bytes);
BODY.writeUInt32BE(bytes - 5, 1);

function pushGrpc(): void {
  const session = http2.connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 1_000 });
  session.on('error', () => {}); // a server may give such clients up
  const stream = session.request({
    ':method': 'POST',
    ':path': GRPC_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  });
  stream.on('error', () => {});
  stream.end(BODY);
}

function pushHttp(): void {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `POST ${HTTP_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\n` +
      `authorization: Bearer ${key}\r\ncontent-length: ${bytes}\r\n\r\n`,
  );
  socket.write(BODY);
}

for (let i = 0; i < clients; i++) {
  if (protocol === 'grpc') pushGrpc();
  else pushHttp();
}
setInterval(() => {}, 1_000); // stays until it is ended, also when it was given up
