import type { Signal } from '../keys/record.ts';

/** Where telemetry is taken, exactly and case-sensitively as OTLP names it. Profiles are still "v1development". */

export const GRPC_ROUTES: ReadonlyMap<string, Signal> = new Map([
  ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces'],
  ['/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', 'metrics'],
  ['/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'logs'],
  ['/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export', 'profiles'],
]);

export const HTTP_ROUTES: ReadonlyMap<string, Signal> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/metrics', 'metrics'],
  ['/v1/logs', 'logs'],
  ['/v1development/profiles', 'profiles'],
]);
