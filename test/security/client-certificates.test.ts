import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { mustGo, tlsOptions } from '../../src/plane/listener-tls.ts';
import { forwarded } from '../support/authz-client.ts';
import { listenOnLoopback } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { createCertificate } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';

/**
 * Where a client certificate decides who is served, a session that is taken up again must not stand for one that was never shown: whoever
 * is turned away may have been given a ticket first.
 */

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

interface Visit {
  readonly port: number;
  readonly ca: string;
  readonly version: tls.SecureVersion;
  readonly shown?: TestCertificate | undefined;
  readonly session?: Buffer | undefined;
}

/** What is answered to these words, and the ticket that came with it. */
async function visit(t: TestContext, { port, ca, version, shown, session }: Visit, words: string) {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    ca,
    minVersion: version,
    maxVersion: version,
    ...(shown && { cert: shown.cert, key: shown.key }),
    ...(session && { session }),
  });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  let answer = '';
  let ticket: Buffer | undefined;
  let isReused: boolean | undefined;
  socket.on('session', (given: Buffer) => (ticket = given));
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('secureConnect', () => (isReused = socket.isSessionReused()));
  socket.write(words);
  await new Promise((resolve) => socket.once('close', resolve));
  return { answer, ticket, isReused };
}

describe('a TLS session that is taken up again', () => {
  for (const version of VERSIONS) {
    it(`(${version}) does not stand for a certificate that was never shown, nor for that of a stranger`, async (t) => {
      const [own, trusted, stranger] = [
        await createCertificate(t),
        await createCertificate(t),
        await createCertificate(t),
      ];
      const [cert, key, clientCa] = [own.cert, own.key, trusted.cert].map((text) => Buffer.from(text)) as [
        Buffer,
        Buffer,
        Buffer,
      ];
      const listenerTls = { cert, key, clientCa, needsClientCertificate: true };
      // One that says so instead of hanging up, so that tickets are had for certain.
      const server = tls.createServer(tlsOptions(listenerTls, { headersTimeoutMs: 10_000 }), (socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(mustGo(socket, listenerTls) ? 'go' : 'stay'));
      });
      const port = await listenOnLoopback(server);
      t.after(() => void server.close());
      for (const [shown, said] of [
        [undefined, 'go'],
        [stranger, 'go'],
        [trusted, 'stay'],
      ] as const) {
        const first = await visit(t, { port, ca: own.cert, version, shown }, 'hello');
        assert.deepEqual([first.answer, first.isReused], [said, false]);
        const again = await visit(t, { port, ca: own.cert, version, session: first.ticket }, 'hello');
        assert.deepEqual([again.answer, again.isReused], [said, true]);
      }
    });

    it(`(${version}) is over where proxies ask when the authority of its certificate is trusted no more`, async (t) => {
      const [server, trusted, other] = [
        await createCertificate(t),
        await createCertificate(t),
        await createCertificate(t),
      ];
      const config = (clientCa: string) => ({
        authz: { http: { address: '127.0.0.1:0', tls: { cert: server.certPath, key: server.keyPath, clientCa } } },
      });
      const gateway = await startGateway(t, config(trusted.certPath));
      const fields = Object.entries(forwarded()).map(([name, value]) => `${name}: ${value}\r\n`);
      const question = `GET /authz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields.join('')}\r\n`;
      const ask = async (shown?: TestCertificate, session?: Buffer) => {
        const place = { port: gateway.addresses.authz_http?.port ?? 0, ca: server.cert, version };
        const visited = await visit(t, { ...place, shown, session }, question);
        return { ...visited, status: /^HTTP\/1.1 (\d+)/.exec(visited.answer)?.[1] };
      };
      const { ticket } = await ask(trusted);
      const again = await ask(undefined, ticket);
      assert.deepEqual([again.status, again.isReused], ['403', true]);
      assert.equal((await gateway.reload(config(other.certPath))).result, 'applied');
      assert.equal((await ask(undefined, ticket)).status, undefined);
      assert.equal((await ask(trusted, ticket)).status, undefined);
      assert.equal((await ask(other)).status, '403');
    });
  }
});
