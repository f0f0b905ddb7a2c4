import { setTimeout as delay } from 'node:timers/promises';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { Metadata } from '@grpc/grpc-js';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { otlpRequest } from './batch.ts';
import { createGrpcCalls } from './grpc-calls.ts';
import { createHttpCalls } from './http-calls.ts';

/**
 * What became of a batch, for all that its sender knows. `kept`: it was told to send it again later, and did not, or not for long
 * enough. `dropped`: it was told that the batch will never be taken.
 */
export type Outcome = 'accepted' | 'kept' | 'dropped';

export interface Delivery {
  readonly outcome: Outcome;
  /** How often it was sent, as far as the client tells. */
  readonly tries: number;
  /** What was wrong last, if anything was. */
  readonly why?: string;
}

export interface ClientOptions {
  readonly url: string;
  readonly key: string;
}

/** Sends the batch of this name. */
export type Client = (name: string) => Promise<Delivery>;

/** What one attempt came to; `again` if it never reached a server that would have looked at it. */
export type Attempt = 'accepted' | { readonly retry: boolean; readonly why: string } | 'again';

/** Exporters of Collectors try for 5 minutes; this is enough for everything here. */
const PATIENCE_MS = 20_000;
const MAX_AGAIN = 5;
const FIRST_PAUSE_MS = 100;
const PAUSE_GROWTH = 1.5;

/** Tries again as a Collector's exporter does: after a pause, what may be retried. */
async function untilDecided(attempt: () => Promise<Attempt>): Promise<Delivery> {
  const givesUpMs = performance.now() + PATIENCE_MS;
  let pauseMs = FIRST_PAUSE_MS;
  let last: { readonly why?: string } = {};
  for (let tries = 1; ; tries++) {
    let result = await attempt();
    // A part of the same try, as in gRPC, because HTTP/2 says that nothing was done: all connections may be told to go at once.
    for (let again = 0; result === 'again' && again < MAX_AGAIN; again++) result = await attempt();
    if (result === 'accepted') return { outcome: 'accepted', tries, ...last };
    const { retry, why } = result === 'again' ? { retry: true, why: 'refused before it was looked at' } : result;
    last = { why };
    if (!retry) return { outcome: 'dropped', tries, why };
    if (performance.now() > givesUpMs) return { outcome: 'kept', tries, why };
    await delay(pauseMs);
    pauseMs *= PAUSE_GROWTH;
  }
}

function rawGrpc(options: ClientOptions): Client {
  const call = createGrpcCalls(options);
  return (name) => untilDecided(() => call(otlpRequest(name)));
}

function rawHttp(options: ClientOptions): Client {
  const call = createHttpCalls(options);
  return (name) => untilDecided(() => call(otlpRequest(name)));
}

const made = new InMemorySpanExporter();
const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(made)] }).getTracer('rolling');

function spanOf(name: string): ReadableSpan[] {
  tracer.startSpan(name).end();
  const spans = made.getFinishedSpans();
  made.reset();
  return spans;
}

/** What a sender may keep: gRPC's UNAVAILABLE and its like, and HTTP's 503 and its like, and connections that broke. */
const KEPT_GRPC = new Set([1, 4, 10, 11, 14, 15]);
const KEPT_HTTP = new Set([429, 502, 503, 504]);

function ofExporter(exporter: SpanExporter, isKept: (code: unknown) => boolean): Client {
  return (name) =>
    new Promise((resolve) =>
      exporter.export(spanOf(name), ({ code, error }: { code: number; error?: Error | undefined }) => {
        if (code === 0) return resolve({ outcome: 'accepted', tries: 1 });
        const cause = (error as { code?: unknown } | undefined)?.code;
        resolve({ outcome: isKept(cause) ? 'kept' : 'dropped', tries: 1, why: error?.message ?? String(cause) });
      }),
    );
}

/** More than may be under way by any means: beyond it exporters drop what they are given. */
const CONCURRENCY = 1_000;

/** It has no retries of its own. */
function sdkGrpc({ url, key }: ClientOptions): Client {
  const metadata = new Metadata();
  metadata.set('x-api-key', key);
  const exporter = new GrpcExporter({ url, metadata, concurrencyLimit: CONCURRENCY });
  return ofExporter(exporter, (code) => typeof code === 'number' && KEPT_GRPC.has(code));
}

/** It retries for ten seconds. */
function sdkHttp({ url, key }: ClientOptions): Client {
  const options = { url: `${url}/v1/traces`, headers: { 'x-api-key': key }, concurrencyLimit: CONCURRENCY };
  // What has a code of Node's had no answer, or no whole one.
  return ofExporter(new ProtoExporter(options), (code) => typeof code !== 'number' || KEPT_HTTP.has(code));
}

export const CLIENTS = { 'grpc-sdk': sdkGrpc, 'grpc-raw': rawGrpc, 'http-sdk': sdkHttp, 'http-raw': rawHttp } as const;
export type ClientKind = keyof typeof CLIENTS;
