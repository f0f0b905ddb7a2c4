/**
 * Fields that real senders, and proxies before us, fill anew for every request. Heads are remembered by their bytes without
 * these, which are checked each time and relayed as they came: so nothing that is read from a head may stand in one of them.
 */
const VARYING = [
  'content-length',
  'grpc-timeout',
  'grpc-previous-rpc-attempts',
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'uber-trace-id',
  'sentry-trace',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'x-request-id',
  'x-correlation-id',
  'x-forwarded-for',
  'x-real-ip',
  'x-request-start',
  'date',
] as const;

/** Whether a field, whose name is in lower case, is said anew by each request. */
export type IsVarying = (name: string) => boolean;

/** But for those that mean something here: credentials, and the name by which the collector knows a tenant. */
export function varyingNames(carriers: readonly string[], tenantHeader: string | undefined): ReadonlySet<string> {
  const varying = new Set<string>(VARYING);
  for (const name of carriers) varying.delete(name.toLowerCase());
  if (tenantHeader !== undefined) varying.delete(tenantHeader.toLowerCase());
  return varying;
}

export function createIsVarying(carriers: readonly string[], tenantHeader: string | undefined): IsVarying {
  const varying = varyingNames(carriers, tenantHeader);
  return (name) => varying.has(name);
}

/** Fields that differ from answer to answer. */
export const VARYING_IN_ANSWERS: ReadonlySet<string> = new Set([
  'content-length',
  'date',
  'server-timing',
  'traceparent',
  'traceresponse',
  'x-request-id',
]);

export const isVaryingInAnswers: IsVarying = (name) => VARYING_IN_ANSWERS.has(name);
