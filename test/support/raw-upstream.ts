import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** One request as a careless server understands it. */
export interface RawRequest {
  /** The request line and the fields, as they came. */
  readonly head: string;
  readonly body: string;
}

export interface RawUpstream {
  readonly url: string;
  readonly requests: readonly RawRequest[];
  /** Everything that came on all connections, and what has not become a request yet. */
  received(): string;
  /** Connections that are open now. */
  open(): number;
}

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n';

/**
 * A collector on bare TCP that takes as many requests from a connection as its bytes can be read as: what was smuggled past
 * the gateway becomes a request of its own here. Answers each with 200, or not at all if told to be silent.
 */
export async function startRawUpstream(t: TestContext, { silent = false } = {}): Promise<RawUpstream> {
  const requests: RawRequest[] = [];
  const sockets = new Set<net.Socket>();
  let received = '';
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      rest += chunk.toString('latin1');
      for (let taken = takeRequest(rest); taken !== undefined; taken = takeRequest(rest)) {
        rest = taken.rest;
        requests.push(taken.request);
        if (!silent) socket.write(ANSWER);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, received: () => received, open: () => sockets.size };
}

function takeRequest(bytes: string): { request: RawRequest; rest: string } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = bytes.slice(0, headEnd);
  const bodyStart = headEnd + 4;
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length === undefined && /^transfer-encoding: *chunked/im.test(head)) return takeChunks(head, bytes, bodyStart);
  const bodyEnd = bodyStart + Number(length ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  return { request: { head, body: bytes.slice(bodyStart, bodyEnd) }, rest: bytes.slice(bodyEnd) };
}

function takeChunks(head: string, bytes: string, start: number): { request: RawRequest; rest: string } | undefined {
  let body = '';
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.slice(at, lineEnd), 16);
    const chunkEnd = lineEnd + 2 + size;
    if (size === 0) {
      const end = bytes.indexOf('\r\n', lineEnd + 2);
      if (end === -1) return undefined;
      return { request: { head, body }, rest: bytes.slice(end + 2) };
    }
    if (bytes.length < chunkEnd + 2) return undefined;
    body += bytes.slice(lineEnd + 2, chunkEnd);
    at = chunkEnd + 2;
  }
}
