import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { startCollector } from '../support/collector.ts';
import type { Arrival, Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { createTelemetry, decodeArrival, EXPECTED } from '../support/telemetry.ts';
import type { SdkSignal, Telemetry } from '../support/telemetry.ts';
import { createCertificate } from '../support/tls.ts';

const SIGNALS = ['traces', 'metrics', 'logs'] as const;
const TRANSPORTS = ['grpc', 'http/json', 'http/protobuf'] as const;
const COMPRESSIONS = ['none', 'gzip'] as const;

/** Every way to send a key that is on by default. */
const HEADER_FORMS: Readonly<Record<string, (key: string) => readonly [name: string, value: string]>> = {
  'Authorization: StackState': (key) => ['Authorization', `StackState ${key}`],
  'Authorization: SUSEObservability': (key) => ['Authorization', `SUSEObservability ${key}`],
  'Authorization: ApiKey': (key) => ['Authorization', `ApiKey ${key}`],
  'Authorization: Bearer': (key) => ['Authorization', `Bearer ${key}`],
  'a scheme in another case': (key) => ['authorization', `sTACKsTATE ${key}`],
  'Authorization: Basic': (key) => ['Authorization', `Basic ${Buffer.from(`apikey:${key}`).toString('base64')}`],
  'X-API-Key': (key) => ['X-API-Key', key],
  apikey: (key) => ['apikey', key],
  'sts-api-key': (key) => ['sts-api-key', key],
};

const KEY_NAME = 'exporters';
const TENANT = 'acme';

interface Exporter {
  export(batch: unknown, done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}
type Constructor = new (options: unknown) => Exporter;

const EXPORTERS = {
  grpc: { traces: GrpcTraces, metrics: GrpcMetrics, logs: GrpcLogs },
  'http/json': { traces: JsonTraces, metrics: JsonMetrics, logs: JsonLogs },
  'http/protobuf': { traces: ProtoTraces, metrics: ProtoMetrics, logs: ProtoLogs },
} as unknown as Record<(typeof TRANSPORTS)[number], Record<SdkSignal, Constructor>>;

interface Sender {
  readonly transport: (typeof TRANSPORTS)[number];
  readonly signal: SdkSignal;
  readonly compression: (typeof COMPRESSIONS)[number];
  readonly header: readonly [name: string, value: string];
}

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly ca: string | undefined;
}

let telemetry: Telemetry;
before(async () => void (telemetry = await createTelemetry()));

async function setUp(t: TestContext, secure: boolean): Promise<Setup> {
  const collector = await startCollector(t);
  const certificate = secure ? await createCertificate(t) : undefined;
  const tls = certificate ? { cert: certificate.certPath, key: certificate.keyPath } : null;
  const gateway = await startGateway(t, {
    listen: { grpc: { tls }, http: { tls } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  return { gateway, collector, ca: certificate?.cert };
}

function createExporter(
  { gateway, ca }: Setup,
  { transport, signal, compression, header: [name, value] }: Sender,
): Exporter {
  const scheme = ca === undefined ? 'http' : 'https';
  const Exporter = EXPORTERS[transport][signal];
  if (transport === 'grpc') {
    const metadata = new Metadata();
    metadata.set(name, value);
    const credentials =
      ca === undefined ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(Buffer.from(ca));
    return new Exporter({
      url: `${scheme}://localhost:${gateway.addresses.grpc.port}`,
      metadata,
      credentials,
      compression,
    });
  }
  const url = `${scheme}://127.0.0.1:${gateway.addresses.http.port}/v1/${signal}`;
  return new Exporter({
    url,
    headers: { [name]: value },
    compression,
    ...(ca === undefined ? {} : { httpAgentOptions: { ca } }),
  });
}

async function send(setup: Setup, sender: Sender): Promise<{ code: number; error?: Error }> {
  const exporter = createExporter(setup, sender);
  const result = await new Promise<{ code: number; error?: Error }>((resolve) =>
    exporter.export(telemetry[sender.signal], resolve),
  );
  await exporter.shutdown();
  return result;
}

/** Everything about who sent it that a request behind the gateway may and must say. */
function identityOf({ headers }: Arrival) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-keygate-')));
}

const CREDENTIAL_FIELDS = ['authorization', 'x-api-key', 'apikey', 'sts-api-key', 'proxy-authorization'];

function assertNoCredential({ headers, path, body }: Arrival, key: string, form: string): void {
  const sent = [path, JSON.stringify(headers), body.toString('latin1')].join('\n');
  for (const secret of [key, Buffer.from(`apikey:${key}`).toString('base64')]) {
    assert.ok(!sent.includes(secret), `${form}: the collector got the credential`);
  }
  assert.deepEqual(
    CREDENTIAL_FIELDS.filter((name) => name in headers),
    [],
    form,
  );
}

for (const secure of [false, true]) {
  const over = secure ? 'TLS' : 'plaintext';
  describe(`the OpenTelemetry exporters over ${over}`, () => {
    for (const transport of TRANSPORTS) {
      it(`deliver every signal over ${transport}, compressed or not, with the key in every header form`, async (t) => {
        const setup = await setUp(t, secure);
        const { text: key, id } = await setup.gateway.createKey({ name: KEY_NAME, tenant: TENANT });
        for (const signal of SIGNALS) {
          for (const compression of COMPRESSIONS) {
            for (const [form, header] of Object.entries(HEADER_FORMS)) {
              const what = `${signal}, ${compression}, ${form}`;
              const { code, error } = await send(setup, { transport, signal, compression, header: header(key) });
              assert.deepEqual({ code, error }, { code: 0, error: undefined }, what);
              const arrival = setup.collector.arrivals.at(-1);
              assert.ok(arrival, what);
              assert.deepEqual(decodeArrival(signal, arrival), EXPECTED[signal], what);
              assert.deepEqual(
                identityOf(arrival),
                { 'x-keygate-key-id': [id], 'x-keygate-key-name': [KEY_NAME], 'x-keygate-tenant': [TENANT] },
                what,
              );
              assertNoCredential(arrival, key, what);
              const encoding = arrival.headers[transport === 'grpc' ? 'grpc-encoding' : 'content-encoding'];
              assert.deepEqual(encoding, compression === 'gzip' ? ['gzip'] : undefined, what);
            }
          }
        }
        assert.equal(
          setup.collector.arrivals.length,
          SIGNALS.length * COMPRESSIONS.length * Object.keys(HEADER_FORMS).length,
        );
      });
    }

    it('are told of a refusal so that they do not retry: 7 over gRPC, 403 over HTTP', async (t) => {
      const setup = await setUp(t, secure);
      for (const transport of TRANSPORTS) {
        for (const signal of SIGNALS) {
          const { code, error } = await send(setup, {
            transport,
            signal,
            compression: 'gzip',
            header: ['X-API-Key', 'no-such-key'],
          });
          const refusal = (error as { code?: number } | undefined)?.code;
          assert.deepEqual(
            { code, refusal },
            { code: 1, refusal: transport === 'grpc' ? 7 : 403 },
            `${transport} ${signal}`,
          );
        }
      }
      assert.deepEqual(setup.collector.arrivals, []);
    });
  });
}
