import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { placeAll } from '../support/place-file.ts';
import type { Scope } from '../support/scope.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createCertificate, identityAt, identityOf } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

const NOTICED_MS = 20_000;
const LOOPBACK = '127.0.0.1:0';
const REFUSED = 'the new configuration is refused; the old one stays';

interface Setup {
  readonly keygate: KeygateProcess;
  readonly collector: Collector;
  readonly first: TestCertificate;
  /** Has this certificate and this key take the place of those that are shown. */
  place(cert: string, key: string): Promise<void>;
}

/** Both data ports show the certificate in a mount as Kubernetes makes it. */
async function setUp(t: Scope, plane: string): Promise<Setup> {
  const collector = await startCollector(t);
  const first = await createCertificate(t);
  const mount = await temporaryDirectory(t);
  const place = (cert: string, key: string): Promise<void> => placeAll(mount, { 'tls.crt': cert, 'tls.key': key });
  await place(first.cert, first.key);
  const identity = { cert: join(mount, 'tls.crt'), key: join(mount, 'tls.key') };
  const keygate = await startKeygateProcess(t, {
    plane,
    listen: { grpc: { address: LOOPBACK, tls: identity }, http: { address: LOOPBACK, tls: identity } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  return { keygate, collector, first, place };
}

const originOf = (address: string): string => `https://localhost:${address.slice(address.lastIndexOf(':') + 1)}`;

for (const plane of ['wire', 'library'] as const) {
  describe(`plane: ${plane}`, () => {
    it('a new certificate is shown to whoever connects next; connections that are open go on', async (t) => {
      const { keygate, collector, first, place } = await setUp(t, plane);
      const { grpc, http } = keygate.addresses;
      const headers = { 'x-api-key': keygate.key };
      const session = await connectGrpc(t, originOf(grpc), { ca: first.cert });
      const agent = keepAliveAgent(t, { ca: first.cert, maxSockets: 1 });
      assert.equal((await callGrpc(session, { headers })).code, 0);
      assert.equal((await callHttp(originOf(http), { headers, agent })).status, 200);
      assert.deepEqual([await identityAt(grpc), await identityAt(http)], [identityOf(first), identityOf(first)]);

      const second = await createCertificate(t, new Date('2099-01-01T00:00:00Z'));
      await place(second.cert, second.key);
      await until('it is shown', async () => (await identityAt(grpc)) === identityOf(second), NOTICED_MS);
      assert.equal(await identityAt(http), identityOf(second));
      assert.equal((await callGrpc(session, { headers })).code, 0);
      // The agent knows only the first authority: it could not connect again.
      assert.equal((await callHttp(originOf(http), { headers, agent })).status, 200);
      await assert.rejects(callHttp(originOf(http), { headers, ca: first.cert }));
      assert.equal((await callHttp(originOf(http), { headers, ca: second.cert })).status, 200);
      assert.equal(session.closed, false);
      assert.equal(collector.arrivals.length, 5);

      const endsAt = new X509Certificate(second.cert).validToDate.getTime() / 1_000;
      for (const use of ['grpc', 'http'])
        assert.equal(await keygate.metric('keygate_certificate_expiry_timestamp_seconds', `use="${use}"`), endsAt);
    });

    it('a certificate that does not fit its key is refused, and the old one is shown', async (t) => {
      const { keygate, first, place } = await setUp(t, plane);
      const [second, third] = [await createCertificate(t), await createCertificate(t)];
      await place(second.cert, third.key);
      await until('it is refused', () => keygate.logged(REFUSED).length > 0, NOTICED_MS);
      const faults = (): Readonly<Record<string, unknown>>[] => keygate.logged('a fault of the new configuration');
      await until('its fault is told', () => faults().length > 0);
      const [fault] = faults();
      assert.equal(fault?.['option'], 'listen.grpc.tls.cert');
      assert.match(String(fault?.['cause']), /must be a PEM certificate that belongs to the PEM private key in key/);
      assert.equal(await identityAt(keygate.addresses.grpc), identityOf(first));

      await place(third.cert, third.key);
      await until(
        'one that fits is shown',
        async () => (await identityAt(keygate.addresses.grpc)) === identityOf(third),
        NOTICED_MS,
      );
    });
  });
}
