import { once } from 'node:events';
import * as net from 'node:net';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { connectTransport, openTransport } from '../../src/plane/wire/transport.ts';
import type { ConnectEvents, ConnectOptions, Transport } from '../../src/plane/wire/transport.ts';
import type { TestCertificate } from './tls.ts';

/** Writes down everything a transport tells. */
export class Heard implements ConnectEvents {
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  connected = 0;
  drained = 0;
  ended = 0;
  closed = 0;
  error: Error | undefined;

  onConnected(): void {
    this.connected++;
  }
  onBytes(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.chunks.push(Buffer.from(chunk));
  }
  onDrained(): void {
    this.drained++;
  }
  onEnded(): void {
    this.ended++;
  }
  onClosed(error: Error | undefined): void {
    this.closed++;
    this.error = error;
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }
}

export interface Pair {
  /** The side that accepted, under test. */
  readonly near: Transport;
  readonly nearSocket: net.Socket;
  readonly heard: Heard;
  /** The other side: a plain socket, paused until somebody listens. */
  readonly far: net.Socket;
}

export interface PairOptions {
  /** For TLS. */
  readonly certificate?: TestCertificate | undefined;
  /** As in a Node that cannot read into memory of our choice. */
  readonly withoutUserBuffers?: boolean;
}

/** An accepted transport and the client at its other end. */
export async function acceptedPair(t: TestContext, options: PairOptions = {}): Promise<Pair> {
  const { certificate } = options;
  const heard = new Heard();
  const server = certificate
    ? tls.createServer({ cert: certificate.cert, key: certificate.key })
    : net.createServer({ allowHalfOpen: true });
  const accepted = once(server, certificate ? 'secureConnection' : 'connection');
  const port = await listen(t, server);
  const far = certificate
    ? tls.connect({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
    : net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => far.destroy());
  far.on('error', () => {});
  const [nearSocket] = (await accepted) as [net.Socket];
  if (options.withoutUserBuffers) hideUserBuffers(nearSocket);
  const near = openTransport(nearSocket, heard);
  t.after(() => near.destroy());
  return { near, nearSocket, heard, far };
}

/** A transport that connects to a server of Node's, and the socket which that server got. */
export async function connectedPair(
  t: TestContext,
  server: net.Server,
  options: Partial<ConnectOptions> = {},
): Promise<Pair> {
  const heard = new Heard();
  const accepted = once(server, options.tls ? 'secureConnection' : 'connection');
  const port = await listen(t, server);
  const near = connectTransport({ host: '127.0.0.1', port, connectTimeoutMs: 5_000, ...options }, heard);
  t.after(() => near.destroy());
  const [far] = (await accepted) as [net.Socket];
  far.on('error', () => {});
  t.after(() => far.destroy());
  return { near, nearSocket: far, heard, far };
}

export async function listen(t: TestContext, server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** Repeatable bytes in which no two places look alike. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

export function hideUserBuffers(socket: net.Socket): void {
  const handle: unknown = Reflect.get(socket, '_handle');
  Object.defineProperty(handle, 'useUserBuffer', { value: undefined });
}
