import * as http from 'node:http';
import * as net from 'node:net';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import type { Scope } from '../../support/scope.ts';

/** What a sender makes of the answer: the data is through, it is to be deleted, or it is to be sent again. */
export type Fate = 'through' | 'deleted' | 'retried';

export interface Answered {
  readonly fate: Fate;
  /** The status, and the reason if there is one. */
  readonly said: string;
}

export type Signal = 'traces' | 'logs';

export interface Sent {
  readonly signal?: Signal;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** A real client, at the proxy's port. */
export interface Sender {
  readonly protocol: 'grpc' | 'http';
  send(sent: Sent): Promise<Answered>;
}

/** Another address of this machine than the one that everything else here has. */
export const SENDER_ADDRESS = '127.0.0.7';
export const USER_AGENT = 'interop-sender/1.0';

const DEADLINE_MS = 15_000;
const GRPC_PATHS = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
} as const;
/** CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS: what the specification of OTLP has retried. */
const RETRIED_CODES: ReadonlySet<number> = new Set([1, 4, 10, 11, 14, 15]);
const RETRIED_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** grpc-js, as exporters use it; its connection comes from SENDER_ADDRESS by way of a relay, since it has no option for that. */
export async function grpcSender(scope: Scope, port: number): Promise<Sender> {
  const client = new Client(`127.0.0.1:${await relayFrom(scope, port)}`, credentials.createInsecure(), {
    'grpc.primary_user_agent': USER_AGENT,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 200,
  });
  scope.after(() => client.close());
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    protocol: 'grpc',
    send: ({ signal = 'traces', headers = {}, body = Buffer.from('telemetry') }) =>
      new Promise((resolve) => {
        const metadata = new Metadata();
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        const deadline = Date.now() + DEADLINE_MS;
        client.makeUnaryRequest(
          GRPC_PATHS[signal],
          asIs,
          asIs,
          body,
          metadata,
          { deadline },
          (error: ServiceError | null) => {
            if (error === null) return resolve({ fate: 'through', said: '0' });
            const fate = RETRIED_CODES.has(error.code) ? 'retried' : 'deleted';
            resolve({ fate, said: `${error.code}${reasonIn(error.details)}` });
          },
        );
      }),
  };
}

async function relayFrom(scope: Scope, port: number): Promise<number> {
  const sockets = new Set<net.Socket>();
  const relay = net.createServer((near) => {
    const far = net.connect({ host: '127.0.0.1', port, localAddress: SENDER_ADDRESS });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  scope.after(() => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  });
  return (relay.address() as net.AddressInfo).port;
}

/** OTLP/HTTP in protobuf, over connections that are kept. */
export function httpSender(scope: Scope, port: number): Sender {
  const agent = new http.Agent({ keepAlive: true, localAddress: SENDER_ADDRESS });
  scope.after(() => agent.destroy());
  return {
    protocol: 'http',
    send: ({ signal = 'traces', headers = {}, body = Buffer.from('telemetry') }) =>
      new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, path: `/v1/${signal}`, method: 'POST', agent });
        request.setHeader('content-type', 'application/x-protobuf');
        request.setHeader('user-agent', USER_AGENT);
        for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
        request.setTimeout(DEADLINE_MS, () => request.destroy(new Error('no answer came in time')));
        request.on('error', reject);
        request.on('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const status = response.statusCode ?? 0;
            const fate = status === 200 ? 'through' : RETRIED_STATUSES.has(status) ? 'retried' : 'deleted';
            resolve({ fate, said: `${status}${reasonIn(Buffer.concat(chunks).toString('latin1'))}` });
          });
        });
        request.end(body);
      }),
  };
}

/** Keygate's messages end with it. */
function reasonIn(text: string): string {
  const reason = /\(([a-z_]+), (?:key|request) /.exec(text)?.[1];
  return reason === undefined ? '' : ` ${reason}`;
}
