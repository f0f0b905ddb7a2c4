/** What is measured. Each scenario keeps `connections` x `streams` requests of `bodyBytes` under way. */
export interface Scenario {
  readonly name: string;
  readonly protocol: 'grpc' | 'http';
  readonly connections: number;
  readonly streams: number;
  readonly bodyBytes: number;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'gRPC 200 B, 8 connections x 16 streams', protocol: 'grpc', connections: 8, streams: 16, bodyBytes: 200 },
  { name: 'gRPC 200 B, 64 connections x 1', protocol: 'grpc', connections: 64, streams: 1, bodyBytes: 200 },
  { name: 'gRPC 10 KB, 8 connections x 16 streams', protocol: 'grpc', connections: 8, streams: 16, bodyBytes: 10_000 },
  { name: 'HTTP/1.1 200 B, 64 connections', protocol: 'http', connections: 64, streams: 1, bodyBytes: 200 },
];

export const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
export const HTTP_PATH = '/v1/traces';
