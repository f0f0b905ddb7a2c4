import assert from 'node:assert/strict';
import { once } from 'node:events';
import type * as http from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { askHttp, connectExtAuthz, forwarded, TRACES } from '../support/authz-client.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc } from '../support/grpc-client.ts';
import { connectRaw, keepAliveAgent } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { placeAll } from '../support/place-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createCertificate } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

const PORTS = ['authz_grpc', 'authz_http'] as const;
const NOTICED_MS = 20_000;

async function setUp(t: TestContext, clientCa?: string) {
  const server = await createCertificate(t);
  const port = {
    address: '127.0.0.1:0',
    tls: { cert: server.certPath, key: server.keyPath, ...(clientCa !== undefined && { clientCa }) },
  };
  const gateway = await startGateway(t, { authz: { grpc: port, http: port } });
  const { text } = await gateway.createKey();
  const portOf = (name: (typeof PORTS)[number]): number => gateway.addresses[name]?.port ?? 0;
  return {
    gateway,
    server,
    text,
    portOf,
    turnedAway: (port: string, cause: string) =>
      gateway.metric('keygate_connections_turned_away_total', { port, cause }),
  };
}

/** The proxy's side: whose certificates it trusts, and the one that it shows. */
function clients(t: TestContext, ca: string, shown?: TestCertificate) {
  const bytes = (text?: string): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return {
    security: credentials.createSsl(bytes(ca), bytes(shown?.key), bytes(shown?.cert)),
    agent: keepAliveAgent(t, { ca, maxSockets: 1, ...(shown && { cert: shown.cert, key: shown.key }) }),
  };
}

const asked = (text: string) => ({ ...forwarded(), 'x-api-key': text });

describe('the ports where proxies ask, with TLS,', () => {
  it('answer as without', async (t) => {
    const { gateway, server, text, portOf } = await setUp(t);
    const { security, agent } = clients(t, server.cert);
    const envoy = connectExtAuthz(t, `localhost:${portOf('authz_grpc')}`, security);
    assert.equal((await envoy.check({ path: TRACES, headers: { 'x-api-key': text } })).code, 0);
    assert.equal(
      (await envoy.check({ path: TRACES, headers: { 'x-api-key': 'nobody-has-this' } })).denied?.status,
      403,
    );
    assert.equal(await envoy.health(), 'SERVING');
    const ask = async (key: string) => (await askHttp(portOf('authz_http'), asked(key), '/authz', agent)).status;
    assert.deepEqual([await ask(text), await ask('nobody-has-this')], [200, 403]);
    const session = await connectGrpc(t, `https://localhost:${portOf('authz_http')}`, { ca: server.cert });
    const stream = session.request({ ':path': '/authz', ...asked(text) });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 200, 'over HTTP/2');
    stream.resume();
    for (const port of PORTS)
      assert.ok((await gateway.metric('keygate_connections', { port })) > 0, 'connections are counted');
  });

  it('answer nobody who speaks plaintext, and at the one for gRPC nobody who has not agreed on HTTP/2', async (t) => {
    const { server, portOf, turnedAway } = await setUp(t);
    for (const port of PORTS) {
      const socket = await connectRaw(t, portOf(port));
      let answered = '';
      socket.on('data', (chunk: Buffer) => (answered += chunk.toString()));
      socket.write('GET /authz HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'close');
      assert.doesNotMatch(answered, /HTTP/);
      await until('it is counted', async () => (await turnedAway(port, 'handshake')) === 1);
    }
    const { agent } = clients(t, server.cert);
    await assert.rejects(askHttp(portOf('authz_grpc'), forwarded(), '/authz', agent), { code: 'ECONNRESET' });
    assert.equal(await turnedAway('authz_grpc', 'handshake'), 2);
  });

  it('with authorities for client certificates answer those alone who show one of theirs', async (t) => {
    const [trusted, stranger] = [await createCertificate(t), await createCertificate(t)];
    const { server, text, portOf, turnedAway } = await setUp(t, trusted.certPath);
    const envoyWith = (shown?: TestCertificate) =>
      connectExtAuthz(t, `localhost:${portOf('authz_grpc')}`, clients(t, server.cert, shown).security);
    const askWith = (shown?: TestCertificate) =>
      askHttp(portOf('authz_http'), asked(text), '/authz', clients(t, server.cert, shown).agent);
    assert.equal(await envoyWith(trusted).health(), 'SERVING');
    assert.equal((await askWith(trusted)).status, 200);
    for (const shown of [undefined, stranger]) {
      await assert.rejects(envoyWith(shown).health(), { code: 14 });
      await assert.rejects(askWith(shown));
    }
    for (const port of PORTS) assert.ok((await turnedAway(port, 'certificate')) >= 2, port);
  });

  it('end those that are in the middle of a handshake when the gateway closes', async (t) => {
    const { gateway, portOf } = await setUp(t);
    const sockets = await Promise.all(PORTS.map((port) => connectRaw(t, portOf(port))));
    for (const socket of sockets) socket.resume();
    await until(
      'they are taken',
      async () => (await gateway.metric('keygate_connections', { port: 'authz_grpc' })) > 0,
    );
    const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
    await gateway.app.drain();
    await closed;
  });
});

describe('a new certificate for those who ask', () => {
  for (const workers of [1, 2]) {
    it(`is shown to whoever connects next; connections that are open go on (workers: ${workers})`, async (t) => {
      const mount = await temporaryDirectory(t);
      const first = await createCertificate(t);
      const place = ({ cert, key }: TestCertificate) => placeAll(mount, { 'tls.crt': cert, 'tls.key': key });
      await place(first);
      const port = {
        address: '127.0.0.1:0',
        tls: { cert: join(mount, 'tls.crt'), key: join(mount, 'tls.key') },
      };
      const keygate = await startKeygateProcess(t, { workers, authz: { grpc: port, http: port } });
      const number = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));
      const { security, agent } = clients(t, first.cert);
      const envoy = connectExtAuthz(t, `localhost:${number(keygate.authz.grpc)}`, security);
      const ask = async (by: http.Agent) =>
        (await askHttp(number(keygate.authz.http), asked(keygate.key), '/authz', by)).status;
      assert.equal(await envoy.health(), 'SERVING');
      assert.equal(await ask(agent), 200);

      const second = await createCertificate(t, new Date('2099-01-01T00:00:00Z'));
      await place(second);
      const isShown = (address: string): Promise<boolean> =>
        new Promise((resolve) => {
          const socket = tls.connect({
            host: '127.0.0.1',
            port: number(address),
            ca: second.cert,
            ALPNProtocols: ['h2'],
          });
          socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
          t.after(() => socket.destroy());
        });
      await until('it is shown', () => isShown(keygate.authz.grpc), NOTICED_MS);
      await until('at the other port', () => isShown(keygate.authz.http), NOTICED_MS);
      // These know only the first authority: they could not connect again.
      assert.equal(await envoy.health(), 'SERVING');
      assert.equal(await ask(agent), 200);
      assert.equal(await ask(clients(t, second.cert).agent), 200);
      for (const use of PORTS)
        assert.equal(
          await keygate.metric('keygate_certificate_expiry_timestamp_seconds', `use="${use}"`),
          Date.parse('2099-01-01T00:00:00Z') / 1_000,
        );
    });
  }
});
