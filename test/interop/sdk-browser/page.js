// What runs in the page: `send(order)` makes telemetry and sends it, as a page does that has its key in its code.
import { diag, DiagConsoleLogger, DiagLogLevel } from '@opentelemetry/api';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const EXPORTERS = {
  'http/json': { traces: JsonTraces, logs: JsonLogs, metrics: JsonMetrics },
  'http/protobuf': { traces: ProtoTraces, logs: ProtoLogs, metrics: ProtoMetrics },
};

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.INFO);

globalThis.send = async ({ name, count, pauseMs, protocol, endpoint, header, batchDelayMs }) => {
  const [field, value] = header.split('=');
  const exporterOf = (signal) =>
    new EXPORTERS[protocol][signal]({
      url: `${endpoint}/v1/${signal}`,
      headers: { [field]: decodeURIComponent(value) },
    });
  const scheduledDelayMillis = batchDelayMs;
  const traces = new TracerProvider({
    spanProcessors: [new BatchSpanProcessor({ exporter: exporterOf('traces'), scheduledDelayMillis })],
  });
  const logs = new LoggerProvider({
    processors: [new BatchLogRecordProcessor({ exporter: exporterOf('logs'), scheduledDelayMillis })],
  });
  const metrics = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: exporterOf('metrics') })],
  });
  const tracer = traces.getTracer('interop');
  const logger = logs.getLogger('interop');
  const counter = metrics.getMeter('interop').createCounter(`${name}.total`);

  console.log('begun');
  for (let i = 0; i < count; i++) {
    const item = `${name}-${i}`;
    tracer.startSpan(item).end();
    logger.emit({ body: item });
    counter.add(1);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }

  for (const provider of [traces, logs, metrics]) {
    try {
      await provider.shutdown();
    } catch (error) {
      console.error(error);
    }
  }
};
