import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { loadSync } from '@grpc/proto-loader';
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { Arrival } from './collector.ts';

/** Real telemetry, made by the SDK, and how to recognise it behind the gateway. */

export interface Telemetry {
  readonly traces: ReadableSpan[];
  readonly metrics: ResourceMetrics;
  readonly logs: ReadableLogRecord[];
}

export type SdkSignal = keyof Telemetry;

const SERVICE = 'checkout-service';

/** What each signal's request says, in the words of `decodeArrival`. */
export const EXPECTED: Record<SdkSignal, Decoded> = {
  traces: { service: SERVICE, items: ['a span with an ümlaut'] },
  metrics: { service: SERVICE, items: ['requests.total'] },
  logs: { service: SERVICE, items: ['a line of log'] },
};

class ManualReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

export async function createTelemetry(): Promise<Telemetry> {
  const resource = resourceFromAttributes({ 'service.name': SERVICE });

  const spans = new InMemorySpanExporter();
  const tracer = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(spans)] }).getTracer(
    'test',
  );
  tracer.startSpan('a span with an ümlaut').end();

  const reader = new ManualReader();
  new MeterProvider({ resource, readers: [reader] }).getMeter('test').createCounter('requests.total').add(7);

  const records = new InMemoryLogRecordExporter();
  const logger = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: records })],
  }).getLogger('test');
  logger.emit({ body: 'a line of log' });

  return {
    traces: spans.getFinishedSpans(),
    metrics: (await reader.collect()).resourceMetrics,
    logs: records.getFinishedLogRecords(),
  };
}

export interface Decoded {
  readonly service: string | undefined;
  /** The names of the spans or metrics, or the bodies of the log records. */
  readonly items: readonly string[];
}

const definitions = loadSync(fileURLToPath(new URL('otlp.proto', import.meta.url)), { defaults: true, arrays: true });
const MESSAGES: Record<SdkSignal, string> = { traces: 'otlp.Traces', metrics: 'otlp.Metrics', logs: 'otlp.Logs' };

/** The telemetry in a request, whatever protocol, encoding and compression it came in. */
export function decodeArrival(signal: SdkSignal, arrival: Arrival): Decoded {
  const payload = payloadOf(arrival);
  if (arrival.headers['content-type']?.[0] === 'application/json')
    return summarise(JSON.parse(payload.toString('utf8')));
  const definition = definitions[MESSAGES[signal]] as unknown as MessageTypeDefinition<object, object>;
  return summarise(definition.deserialize(payload));
}

function payloadOf({ protocol, headers, body }: Arrival): Buffer {
  if (protocol === 'http') return headers['content-encoding']?.[0] === 'gzip' ? gunzipSync(body) : body;
  const payload = body.subarray(5, 5 + body.readUInt32BE(1));
  return body[0] === 1 ? gunzipSync(payload) : payload;
}

interface Node {
  readonly [name: string]: unknown;
}

/** resource…[].scope…[].items[], which is the shape of all three signals in protobuf and in JSON. */
function summarise(message: unknown): Decoded {
  const [resource] = childrenOf(message as Node, /^resource[A-Z]\w*$/);
  const items = [resource ?? {}]
    .flatMap((node) => childrenOf(node, /^scope[A-Z]\w*$/))
    .flatMap((node) => childrenOf(node, /^(?:spans|metrics|logRecords)$/));
  const attributes = (
    resource?.['resource'] as { attributes?: { key: string; value: { stringValue?: string } }[] } | undefined
  )?.attributes;
  return {
    service: attributes?.find(({ key }) => key === 'service.name')?.value.stringValue,
    items: items.map(labelOf),
  };
}

function labelOf({ name, body }: Node): string {
  return typeof name === 'string' ? name : ((body as { stringValue?: string } | undefined)?.stringValue ?? '');
}

function childrenOf(node: Node, name: RegExp): Node[] {
  return Object.entries(node).flatMap(([key, value]) =>
    name.test(key) && Array.isArray(value) ? (value as Node[]) : [],
  );
}
