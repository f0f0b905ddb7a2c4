import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { debianProgram } from '../conformance/toolchain.ts';
import { startCollector } from '../support/collector.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { blocksOf, openShell, toRun } from '../support/runbook.ts';
import { createCertificate } from '../support/tls.ts';

debianProgram('curl');
const page = 'docs/senders.md';

/** An SDK that is told nothing in its code. */
const EXPORT_ONE_SPAN = `
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())] });
provider.getTracer('page').startSpan('a span').end();
await provider.forceFlush();
`;

test('docs/senders.md: what curl and an SDK are told there brings telemetry to the collector', async (t) => {
  const collector = await startCollector(t);
  const { certPath, keyPath } = await createCertificate(t);
  const port = { address: '127.0.0.1:0', tls: { cert: certPath, key: keyPath } };
  const keygate = await startKeygateProcess(t, {
    listen: { grpc: port, http: port },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  const shell = openShell(t, {
    names: [
      ['https://keygate.example.com:4318', `https://localhost:${keygate.addresses.http.split(':').at(-1)}`],
      ['/etc/otel/keygate-ca.crt', certPath],
      ['keygate-ca.crt', certPath],
    ],
    env: { INGESTION_API_KEY: keygate.key },
  });
  const [curl, sdk, ...more] = toRun({ page });
  assert.deepEqual(more, []);
  const tried = await shell.run(curl?.text ?? 'false');
  assert.match(tried.output, /200/);
  assert.equal((await shell.run(sdk?.text ?? 'false')).code, 0);
  const root = join(import.meta.dirname, '../..');
  const sent = await shell.run(`cd ${root}\nnode --input-type=module -e "${EXPORT_ONE_SPAN}"`);
  assert.equal(sent.code, 0, sent.output);
  assert.deepEqual(
    collector.arrivals.map(({ path, headers }) => [path, headers['content-type']]),
    [
      ['/v1/traces', ['application/json']],
      ['/v1/traces', ['application/x-protobuf']],
    ],
  );
});

// The others are files of config/, which test/docs/senders.test.ts compares with the page.
test('docs/senders.md: its configuration of a Collector is whole', () => {
  const yaml = blocksOf(page).filter(({ language, text }) => language === 'yaml' && text.includes('exporters:'));
  for (const { text } of yaml) {
    const { exporters, extensions, service } = parse(text) as Record<string, Record<string, unknown>>;
    assert.ok(exporters !== undefined && extensions !== undefined && service !== undefined);
    assert.deepEqual(service['extensions'], Object.keys(extensions));
  }
  assert.equal(yaml.length, 1);
});
