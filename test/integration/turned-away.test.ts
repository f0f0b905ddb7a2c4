import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { connectRaw } from '../support/http-client.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

/** Nobody answers there, and nobody has to. */
const upstream = { grpc: 'http://127.0.0.1:9', http: 'http://127.0.0.1:9' };

async function startWithTls(t: TestContext, plane: 'wire' | 'library') {
  const server = await createCertificate(t);
  const authority = await createCertificate(t);
  const options = { cert: server.certPath, key: server.keyPath, clientCa: authority.certPath };
  const gateway = await startGateway(t, {
    plane,
    upstream,
    listen: { grpc: { tls: options }, http: { tls: options } },
  });
  return { gateway, server };
}

const turnedAway = (gateway: Gateway, port: string, cause: string): Promise<number> =>
  gateway.metric('keygate_connections_turned_away_total', { port, cause });

/** What the log says of them to those who ask for more of it. */
function logged(gateway: Gateway): unknown[] {
  return gateway.log
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ message }) => message === 'a connection was turned away')
    .map(({ level, port, fault, peer, cause }) => ({
      level,
      port,
      fault,
      peer,
      ...(cause !== undefined && { cause }),
    }));
}

const LINE = { level: 'debug', peer: '127.0.0.1' };

for (const plane of ['wire', 'library'] as const) {
  describe(`connections that are not served, on the ${plane} plane,`, () => {
    it('are counted when there are as many as there may be', async (t) => {
      const gateway = await startGateway(t, { plane, upstream, limits: { maxConnections: 1 } });
      for (const port of ['grpc', 'http'] as const) {
        const first = await connectRaw(t, gateway.addresses[port].port);
        const second = await connectRaw(t, gateway.addresses[port].port);
        second.resume();
        await once(second, 'close');
        assert.equal(first.destroyed, false);
        assert.equal(await turnedAway(gateway, port, 'limit'), 1);
        assert.equal(await gateway.metric('keygate_connections', { port }), 1);
      }
      assert.deepEqual(logged(gateway), [
        { ...LINE, port: 'grpc', fault: 'limit' },
        { ...LINE, port: 'http', fault: 'limit' },
      ]);
    });

    it('are counted when they do not speak TLS', async (t) => {
      const { gateway } = await startWithTls(t, plane);
      for (const port of ['grpc', 'http'] as const) {
        const socket = await connectRaw(t, gateway.addresses[port].port);
        socket.resume();
        socket.write('POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
        await once(socket, 'close');
        await until('it is counted', async () => (await turnedAway(gateway, port, 'handshake')) === 1);
        assert.equal(await turnedAway(gateway, port, 'certificate'), 0);
      }
      assert.deepEqual(logged(gateway), [
        { ...LINE, port: 'grpc', fault: 'handshake', cause: 'http request' },
        { ...LINE, port: 'http', fault: 'handshake', cause: 'http request' },
      ]);
    });

    it('are counted when they show a certificate of a stranger', async (t) => {
      const { gateway, server } = await startWithTls(t, plane);
      const stranger = await createCertificate(t);
      for (const port of ['grpc', 'http'] as const) {
        const socket = tls.connect({
          host: '127.0.0.1',
          port: gateway.addresses[port].port,
          servername: 'localhost',
          ca: server.cert,
          cert: stranger.cert,
          key: stranger.key,
        });
        t.after(() => socket.destroy());
        socket.on('error', () => {});
        socket.resume();
        await once(socket, 'close');
        await until('it is counted', async () => (await turnedAway(gateway, port, 'certificate')) === 1);
        assert.equal(await turnedAway(gateway, port, 'handshake'), 0);
      }
      assert.deepEqual(logged(gateway), [
        { ...LINE, port: 'grpc', fault: 'certificate' },
        { ...LINE, port: 'http', fault: 'certificate' },
      ]);
    });
  });
}
