/** What is measured. Each scenario keeps `connections` x `streams` requests of `bodyBytes` under way. */
export interface Scenario {
  readonly name: string;
  readonly protocol: 'grpc' | 'http';
  readonly connections: number;
  readonly streams: number;
  readonly bodyBytes: number;
  /** How many times the requests per second of another server are to be reached. */
  readonly goals?: Readonly<Record<'nginx' | 'haproxy' | 'library', number>>;
  /** The load comes from exporters.ts, each of whose calls has another grpc-timeout. */
  readonly isFromExporters?: true;
  /** Towards the server; behind it there is none. */
  readonly isTls?: true;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'gRPC 200 B, 8 connections x 16 streams',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 200,
    goals: { nginx: 3, haproxy: 1.5, library: 8 },
  },
  {
    name: 'gRPC 200 B, 64 connections x 1',
    protocol: 'grpc',
    connections: 64,
    streams: 1,
    bodyBytes: 200,
    goals: { nginx: 1.5, haproxy: 1.5, library: 5 },
  },
  {
    name: 'gRPC 10 KB, 8 connections x 16 streams',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 10_000,
    goals: { nginx: 1.2, haproxy: 1, library: 4 },
  },
  {
    name: 'gRPC 1 MB, 8 connections x 4 streams',
    protocol: 'grpc',
    connections: 8,
    streams: 4,
    bodyBytes: 1_000_000,
    goals: { nginx: 0.8, haproxy: 1.3, library: 2 },
  },
  {
    name: 'HTTP/1.1 200 B, 64 connections',
    protocol: 'http',
    connections: 64,
    streams: 1,
    bodyBytes: 200,
    goals: { nginx: 1, haproxy: 0.85, library: 3 },
  },
  {
    name: 'gRPC 200 B, 8 connections x 16 streams, as grpc-go sends it',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 200,
    isFromExporters: true,
  },
  {
    name: 'gRPC 200 B, 8 connections x 16 streams, TLS',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 200,
    isTls: true,
  },
  {
    name: 'gRPC 10 KB, 8 connections x 16 streams, TLS',
    protocol: 'grpc',
    connections: 8,
    streams: 16,
    bodyBytes: 10_000,
    isTls: true,
  },
];

export const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const HTTP_PATH = '/v1/traces';

/** A body as the protocol has it: a gRPC message has its length before it (its five bytes count as part of the body). */
export function bodyOf({ protocol, bodyBytes }: Pick<Scenario, 'protocol' | 'bodyBytes'>): Buffer {
  const body = Buffer.alloc(bodyBytes, 1);
  if (protocol === 'grpc') {
    body.writeUInt8(0, 0);
    body.writeUInt32BE(bodyBytes - 5, 1);
  }
  return body;
}
