import type * as net from 'node:net';
import type { TestContext } from 'node:test';
import { connectRaw } from './http-client.ts';
import { request } from './raw-http.ts';
import { until } from './wait.ts';
import { startWireServer } from './wire-server.ts';
import type { WireServer, WireServerOptions } from './wire-server.ts';

export const LINE = 'POST /v1/traces HTTP/1.1';
export const HOST = 'Host: gateway';
export const CHUNKED = 'Transfer-Encoding: chunked';

export interface Client {
  readonly server: WireServer;
  readonly socket: net.Socket;
  /** A request with the key. */
  good(fields: readonly string[], body?: string): string;
  write(bytes: string | Buffer): void;
  /** All that has come. */
  text(): string;
  statuses(): number[];
}

export async function connectHttp1(t: TestContext, options: WireServerOptions = {}): Promise<Client> {
  const server = await startWireServer(t, options);
  const socket = await connectRaw(t, server.port);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const text = (): string => Buffer.concat(chunks).toString('latin1');
  return {
    server,
    socket,
    good: (fields, body) => request(LINE, [HOST, `X-API-Key: ${server.key}`, ...fields], body),
    write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    text,
    statuses: () => Array.from(text().matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status)),
  };
}

export const closed = ({ socket }: Client) => until('the connection is closed', () => socket.closed);
export const outcomes = ({ server }: Client) => server.reports.map(({ outcome }) => outcome);
