import assert from 'node:assert/strict';
import { once } from 'node:events';
import type * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { answerGrpc, listenOnLoopback, startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { createCertificate } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';

const PORTS = ['grpc', 'http'] as const;

interface Setup {
  readonly gateway: Gateway;
  readonly server: TestCertificate;
  readonly headers: { readonly 'x-api-key': string };
}

async function setUp(t: TestContext, { clientCa }: { clientCa?: string } = {}): Promise<Setup> {
  const collector = await startCollector(t);
  const server = await createCertificate(t);
  const tlsOptions = { cert: server.certPath, key: server.keyPath, ...(clientCa === undefined ? {} : { clientCa }) };
  const gateway = await startGateway(t, {
    listen: { grpc: { tls: tlsOptions }, http: { tls: tlsOptions } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  return { gateway, server, headers: { 'x-api-key': (await gateway.createKey()).text } };
}

/** Shakes hands and hangs up; rejects if the gateway does not agree. */
async function shakeHands(
  t: TestContext,
  port: number,
  options: tls.ConnectionOptions,
): Promise<{ protocol: string | null; alpn: string | false | null }> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ...options });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return { protocol: socket.getProtocol(), alpn: socket.alpnProtocol };
}

describe('a TLS listener', () => {
  for (const port of PORTS) {
    it(`(${port}) speaks TLS 1.2 and 1.3, and nothing older`, async (t) => {
      const { gateway, server } = await setUp(t);
      const connect = (version: tls.SecureVersion) =>
        // Level 0, or OpenSSL would not even offer the old versions.
        shakeHands(t, gateway.addresses[port].port, {
          ca: server.cert,
          minVersion: version,
          maxVersion: version,
          ciphers: 'DEFAULT@SECLEVEL=0',
        });
      assert.equal((await connect('TLSv1.2')).protocol, 'TLSv1.2');
      assert.equal((await connect('TLSv1.3')).protocol, 'TLSv1.3');
      for (const old of ['TLSv1.1', 'TLSv1'] as const)
        await assert.rejects(connect(old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    });

    it(`(${port}) offers h2 and http/1.1, and takes clients that offer nothing as HTTP/1.1`, async (t) => {
      const { gateway, server, headers } = await setUp(t);
      const alpn = async (offered: string[]) =>
        (await shakeHands(t, gateway.addresses[port].port, { ca: server.cert, ALPNProtocols: offered })).alpn;
      assert.deepEqual(
        [await alpn(['h2']), await alpn(['http/1.1']), await alpn(['http/1.1', 'h2']), await alpn([])],
        ['h2', 'http/1.1', 'h2', false],
      );
      const answer = await callHttp(`https://localhost:${gateway.addresses[port].port}`, { headers, ca: server.cert });
      assert.equal(answer.status, 200);
    });

    it(`(${port}) never answers in HTTP/1.1 to whom it has agreed with on HTTP/2`, async (t) => {
      const { gateway, server } = await setUp(t);
      const { port: number } = gateway.addresses[port];
      const socket = tls.connect({
        host: '127.0.0.1',
        port: number,
        servername: 'localhost',
        ca: server.cert,
        ALPNProtocols: ['h2'],
      });
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
      socket.write('GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'close');
      assert.doesNotMatch(answer, /HTTP\/1/);
    });

    it(`(${port}) survives clients that speak plaintext, or hang up in the middle of the handshake`, async (t) => {
      const { gateway, server, headers } = await setUp(t);
      const { port: number } = gateway.addresses[port];
      await assert.rejects(callHttp(`http://127.0.0.1:${number}`, { headers }));
      const plaintext = http2.connect(`http://127.0.0.1:${number}`);
      plaintext.on('error', () => {});
      if (!plaintext.closed) await once(plaintext, 'close');
      for (let i = 0; i < 10; i++)
        tls
          .connect({ host: '127.0.0.1', port: number, ca: server.cert })
          .on('error', () => {})
          .destroy();
      assert.equal((await callHttp(`https://localhost:${number}`, { headers, ca: server.cert })).status, 200);
    });
  }
});

describe('a TLS listener with authorities for client certificates', () => {
  it('serves clients without a certificate: their key decides', async (t) => {
    const trusted = await createCertificate(t);
    const { gateway, server, headers } = await setUp(t, { clientCa: trusted.certPath });
    const session = await connectGrpc(t, `https://localhost:${gateway.addresses.grpc.port}`, { ca: server.cert });
    assert.equal((await callGrpc(session, { headers })).code, 0);
    assert.equal(
      (await callHttp(`https://localhost:${gateway.addresses.http.port}`, { headers, ca: server.cert })).status,
      200,
    );
    assert.equal(readRefusal(await callGrpc(session)).reason, 'missing_credential');
  });

  it('serves clients with a certificate that it trusts: their key still decides', async (t) => {
    const trusted = await createCertificate(t);
    const { gateway, server, headers } = await setUp(t, { clientCa: trusted.certPath });
    const client = { ca: server.cert, cert: trusted.cert, key: trusted.key };
    const session = await connectGrpc(t, `https://localhost:${gateway.addresses.grpc.port}`, client);
    assert.equal((await callGrpc(session, { headers })).code, 0);
    assert.equal(readRefusal(await callGrpc(session)).reason, 'missing_credential');
  });

  it('hangs up on clients with a certificate that it does not trust, whatever their key', async (t) => {
    const trusted = await createCertificate(t);
    const stranger = await createCertificate(t);
    const { gateway, server } = await setUp(t, { clientCa: trusted.certPath });
    for (const port of PORTS) {
      const socket = tls.connect({
        host: 'localhost',
        port: gateway.addresses[port].port,
        ca: server.cert,
        cert: stranger.cert,
        key: stranger.key,
      });
      socket.on('error', () => {});
      socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n');
      let answered = '';
      socket.on('data', (chunk: Buffer) => (answered += chunk.toString()));
      await once(socket, 'close');
      assert.equal(answered, '');
    }
  });
});

interface SecureCollector {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly clientNames: (string | undefined)[];
}

async function startSecureCollector(
  t: TestContext,
  certificate: TestCertificate,
  clientCa?: string,
): Promise<SecureCollector> {
  const clientNames: (string | undefined)[] = [];
  const options = {
    cert: certificate.cert,
    key: certificate.key,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true }),
  };
  const note = (socket: tls.TLSSocket): void => void clientNames.push(socket.getPeerX509Certificate()?.subject);
  const sessions = new Set<http2.ServerHttp2Session>();
  const grpc = http2.createSecureServer(options);
  grpc.on('session', (session) => sessions.add(session));
  grpc.on('stream', (stream) => stream.resume().on('end', () => answerGrpc(stream as http2.ServerHttp2Stream)));
  const web = https.createServer(options, (request, response) => request.resume().on('end', () => response.end()));
  for (const server of [grpc, web]) server.on('secureConnection', note);
  const [grpcPort, httpPort] = [await listenOnLoopback(grpc), await listenOnLoopback(web)];
  t.after(async () => {
    for (const session of sessions) session.destroy();
    web.closeAllConnections();
    await Promise.all([grpc, web].map((server) => new Promise((resolve) => server.close(resolve))));
  });
  return { grpcPort, httpPort, clientNames };
}

describe('a collector behind TLS', () => {
  for (const host of ['localhost', '127.0.0.1']) {
    it(`is reached as https://${host} when its authority is given, over gRPC and HTTP`, async (t) => {
      const certificate = await createCertificate(t);
      const { grpcPort, httpPort } = await startSecureCollector(t, certificate);
      const gateway = await startGateway(t, {
        upstream: {
          grpc: `https://${host}:${grpcPort}`,
          http: `https://${host}:${httpPort}`,
          tls: { ca: certificate.certPath },
        },
      });
      const headers = { 'x-api-key': (await gateway.createKey()).text };
      assert.equal((await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers })).code, 0);
      assert.equal((await callHttp(gateway.httpUrl, { headers })).status, 200);
    });
  }

  it('is told who we are when it asks for a certificate', async (t) => {
    const certificate = await createCertificate(t);
    const { grpcPort, httpPort, clientNames } = await startSecureCollector(t, certificate, certificate.cert);
    const { certPath: cert, keyPath: key } = certificate;
    const gateway = await startGateway(t, {
      upstream: {
        grpc: `https://localhost:${grpcPort}`,
        http: `https://localhost:${httpPort}`,
        tls: { ca: cert, cert, key },
      },
    });
    const headers = { 'x-api-key': (await gateway.createKey()).text };
    assert.equal((await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers })).code, 0);
    assert.equal((await callHttp(gateway.httpUrl, { headers })).status, 200);
    assert.deepEqual(clientNames, ['CN=localhost', 'CN=localhost']);
  });

  for (const [what, host, ca] of [
    ['is signed by nobody we know', 'localhost', (_: TestCertificate, other: TestCertificate) => other.certPath],
    ['is for another name', '127.0.0.2', (own: TestCertificate) => own.certPath],
  ] as const) {
    it(`gets nothing when its certificate ${what}: senders are told to retry`, async (t) => {
      const [own, other] = [await createCertificate(t), await createCertificate(t)];
      const server = https.createServer({ cert: own.cert, key: own.key }, () => assert.fail('a request was sent'));
      const secure = http2
        .createSecureServer({ cert: own.cert, key: own.key })
        .on('stream', () => assert.fail('a call was sent'));
      const [httpPort, grpcPort] = await Promise.all([listenOn(t, server, host), listenOn(t, secure, host)]);
      const gateway = await startGateway(t, {
        upstream: {
          grpc: `https://${host}:${grpcPort}`,
          http: `https://${host}:${httpPort}`,
          tls: { ca: ca(own, other) },
        },
      });
      const headers = { 'x-api-key': (await gateway.createKey()).text };
      assert.equal(readRefusal(await callGrpc(await connectGrpc(t, gateway.grpcAddress), { headers })).code, 14);
      assert.equal((await callHttp(gateway.httpUrl, { headers })).status, 503);
    });
  }

  async function listenOn(
    t: TestContext,
    server: http.Server | https.Server | http2.Http2SecureServer,
    host: string,
  ): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, host === 'localhost' ? '127.0.0.1' : host, resolve));
    t.after(() => new Promise((resolve) => server.close(resolve)));
    return (server.address() as { port: number }).port;
  }
});
