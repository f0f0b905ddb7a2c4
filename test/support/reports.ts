import type { RequestReport } from '../../src/plane/plane.ts';

/** The report of an accepted request for traces over gRPC, but for these fields. */
export function newReport(fields: Partial<RequestReport> = {}): RequestReport {
  return {
    requestId: 'r-1',
    traceId: undefined,
    protocol: 'grpc',
    route: 'otlp-grpc',
    signal: 'traces',
    outcome: 'accepted',
    upstreamStatus: 0,
    key: undefined,
    fingerprint: undefined,
    peer: '10.0.0.1',
    userAgent: undefined,
    receivedBytes: 100,
    sentBytes: 5,
    decisionSeconds: 0.00001,
    upstreamSeconds: 0.002,
    ...fields,
  };
}
