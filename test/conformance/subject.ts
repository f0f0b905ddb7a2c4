import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { parseArgs } from 'node:util';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { callGrpc, connectGrpc, frame } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import type { TestCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

const { values: options } = parseArgs({ options: { plane: { type: 'string', default: 'wire' } } });

/** What is under test; `--plane library` compares. */
export const PLANE = options.plane;

/** A real Keygate process on this plane, on free ports of the loopback address. */
export function startGateway(t: TestContext, config: Readonly<Record<string, unknown>>): Promise<KeygateProcess> {
  return startKeygateProcess(t, { plane: PLANE, ...config });
}

/** Both data ports, with TLS if there is a certificate. */
export function listenOn(certificate: TestCertificate | undefined): Readonly<Record<string, unknown>> {
  const tls = certificate && { tls: { cert: certificate.certPath, key: certificate.keyPath } };
  const port = { address: '127.0.0.1:0', ...tls };
  return { grpc: port, http: port };
}

export interface Subject {
  readonly gateway: KeygateProcess;
  readonly collector: Collector;
}

/** What the collector answers: enough that a reader with a small window must ask for more. */
const ANSWER = 'what a collector would say, at some length';

/** A gateway and a collector behind it, which answers everything alike. */
export async function startSubject(
  t: TestContext,
  { upstream, ...config }: Readonly<Record<string, unknown>> & { readonly upstream?: object } = {},
): Promise<Subject> {
  const collector = await startCollector(t, {
    onHttp: (response) => response.end(ANSWER),
    onGrpc(stream) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(frame(Buffer.from(ANSWER)));
    },
  });
  const targets = { grpc: collector.grpcUrl, http: collector.httpUrl };
  return { gateway: await startGateway(t, { upstream: { ...targets, ...upstream }, ...config }), collector };
}

/**
 * What must be true after whatever a suite has done: the process lives, serves others, and holds no connection and no
 * request of it any more.
 */
export async function assertUnharmed(t: TestContext, { gateway, collector }: Subject, ca?: string): Promise<void> {
  const scheme = ca === undefined ? 'http' : 'https';
  const trust = ca === undefined ? {} : { ca };
  const headers = { 'x-api-key': gateway.key };
  const overHttp = await callHttp(`${scheme}://${gateway.addresses.http}`, { headers, ...trust });
  assert.deepEqual([overHttp.status, overHttp.body.toString()], [200, ANSWER]);
  const session = await connectGrpc(t, `${scheme}://${gateway.addresses.grpc}`, trust);
  assert.equal((await callGrpc(session, { headers })).code, 0);
  session.destroy();
  await assertIdle(gateway);
  await until('nothing is left at the collector', () => collector.open() === 0);
}

/** The process lives, and nobody uses it. */
export async function assertIdle(gateway: KeygateProcess): Promise<void> {
  await until('no connection is left', async () => (await gateway.metric('keygate_connections')) === 0, 20_000);
  await until('no request is left', async () => (await gateway.metric('keygate_requests_in_flight')) === 0);
}
