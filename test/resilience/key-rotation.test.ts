import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { decodeArrival } from '../support/telemetry.ts';
import { until } from '../support/wait.ts';

const SPANS = 3_000;
const GRACE_MS = 3_000;

/** A program that makes spans all the time, and sends them with the key that it was given last. */
interface Program {
  makeSpan(name: string): void;
  changeKey(key: string): Promise<void>;
  end(): Promise<void>;
}

function startSdk(exporter: SpanExporter) {
  const processor = new BatchSpanProcessor(exporter, {
    scheduledDelayMillis: 20,
    maxExportBatchSize: 50,
    maxQueueSize: SPANS,
  });
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer('test');
  return { makeSpan: (name: string) => tracer.startSpan(name).end(), end: () => provider.shutdown() };
}

/** Asks for its headers before each export, as programs do that read their key from a file that is replaced. */
function programOverHttp(gateway: Gateway, first: string): Program {
  let key = first;
  const headers = async () => ({ 'x-api-key': key });
  const sdk = startSdk(new ProtoTraces({ url: `${gateway.httpUrl}/v1/traces`, headers }));
  return { ...sdk, changeKey: async (next) => void (key = next) };
}

/** Is given its metadata once, so that a new exporter takes over while the old one sends what it still has. */
function programOverGrpc(gateway: Gateway, first: string): Program {
  const start = (key: string) => {
    const metadata = new Metadata();
    metadata.set('x-api-key', key);
    return startSdk(new GrpcTraces({ url: `http://${gateway.grpcAddress}`, metadata }));
  };
  let sdk = start(first);
  return {
    makeSpan: (name) => sdk.makeSpan(name),
    async changeKey(next) {
      const old = sdk;
      sdk = start(next);
      await old.end();
    },
    end: () => sdk.end(),
  };
}

const PROGRAMS = { 'OTLP/HTTP': programOverHttp, 'OTLP/gRPC': programOverGrpc };

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl, http: collector.httpUrl } });
  return { collector, gateway };
}

describe('a key that is rotated under a program that sends without a pause', () => {
  for (const [protocol, start] of Object.entries(PROGRAMS)) {
    it(`over ${protocol}: every span arrives once, none is refused, and the old key is dead after its grace`, async (t) => {
      const { collector, gateway } = await setUp(t);
      const old = await gateway.createKey({ name: 'rotated' });
      const program = start(gateway, old.text);
      const names = Array.from({ length: SPANS }, (_, index) => `span ${index}`);
      let rotatedAt = 0;
      let next = '';
      let changed: Promise<void> | undefined;
      for (const [index, name] of names.entries()) {
        program.makeSpan(name);
        if (index % 25 === 0) await delay(5);
        if (index === SPANS / 3) {
          const grace = { graceMs: GRACE_MS };
          ({ text: next } = await gateway.app.keys.rotate('ingestion', old.id, grace, { name: 'test' }));
          rotatedAt = performance.now();
        }
        if (index === (SPANS * 2) / 3) changed = program.changeKey(next);
      }
      await changed;
      await program.end();

      const arrived = collector.arrivals.flatMap((arrival) => decodeArrival('traces', arrival).items);
      assert.deepEqual(arrived.toSorted(), names.toSorted());
      const requests = await gateway.metric('keygate_requests_total');
      assert.equal(await gateway.metric('keygate_requests_total', { verdict: 'allow' }), requests);
      const users = new Set(collector.arrivals.map(({ headers }) => headers['x-keygate-key-id']?.[0]));
      assert.equal(users.size, 2, 'both keys were used');

      await until(
        'the old key is dead',
        async () => (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': old.text } })).status === 403,
        GRACE_MS + 5_000,
      );
      assert.ok(performance.now() - rotatedAt >= GRACE_MS - 100, 'it died before its grace was over');
      assert.equal((await callHttp(gateway.httpUrl, { headers: { 'x-api-key': next } })).status, 200);
    });
  }
});
