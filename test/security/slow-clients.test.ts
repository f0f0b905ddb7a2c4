import assert from 'node:assert/strict';
import * as net from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, frame, FRAME, grpcHead, SETTINGS } from '../support/h2-frames.ts';
import type { Fields } from '../support/h2-frames.ts';
import { callHttp, connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

/**
 * Slowloris and its kin: connections that say little or nothing for as long as they are let. Each must end within its
 * limit, so that none can be held for nothing; the limits are made small here, and are options.
 */
const LIMITS = { headersTimeout: '200ms', bodyTimeout: '1s', idleTimeout: '1s' };
/** The longest of the limits, the second after which Node looks, and slack for a busy machine. */
const PATIENCE_MS = 4_500;
const DRIP_MS = 100;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const LINE = 'POST /v1/traces HTTP/1.1';

interface Slow {
  readonly socket: net.Socket;
  /** What it goes on to say, again and again. */
  readonly drip?: Buffer | string;
}

test('a connection that holds us up ends within its limit', { timeout: 30_000, concurrency: true }, async (t) => {
  const collector = await startCollector(t);
  const certificate = await createCertificate(t);
  const upstream = { http: collector.httpUrl, grpc: collector.grpcUrl };
  const secure = { grpc: { tls: { cert: certificate.certPath, key: certificate.keyPath } } };
  const gateway = await startGateway(t, { upstream, limits: LIMITS });
  const tlsGateway = await startGateway(t, { upstream, limits: LIMITS, listen: secure });
  const { text: key } = await gateway.createKey();
  const { port } = gateway.addresses.http;
  const tlsPort = tlsGateway.addresses.grpc.port;

  const raw =
    (bytes: string | Buffer, drip?: Slow['drip']) =>
    async (t: TestContext): Promise<Slow> => {
      const socket = await connectRaw(t, port);
      socket.write(bytes);
      return { socket, ...(drip === undefined ? {} : { drip }) };
    };
  const http1 = (fields: readonly string[], body?: string, drip?: string) =>
    raw(request(LINE, ['Host: gateway', ...fields], body), drip);
  const http2 =
    (head: Fields, drip?: Buffer) =>
    async (t: TestContext): Promise<Slow> => {
      const { socket, send } = await connectFrames(t, port);
      await send(frame(FRAME.HEADERS, END_HEADERS, 1, block(head)));
      return { socket, ...(drip === undefined ? {} : { drip }) };
    };
  const overTls =
    (protocols: string[]) =>
    async (t: TestContext): Promise<Slow> => {
      const socket = tls.connect({
        host: '127.0.0.1',
        servername: 'localhost',
        port: tlsPort,
        ca: certificate.cert,
        ALPNProtocols: protocols,
      });
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      return { socket };
    };

  const withKey = `X-API-Key: ${key}`;
  const grpc = grpcHead(['x-api-key', key]);
  const http = grpc
    .filter(([name]) => name !== 'content-type' && name !== 'te')
    .map(([name, value]) => [name, name === ':path' ? '/v1/traces' : value] as const);
  const oneByte = frame(FRAME.DATA, 0, 1, Buffer.alloc(1));

  const slow: Readonly<Record<string, (t: TestContext) => Promise<Slow>>> = {
    'one that says nothing': raw(''),
    'one that says the first letter of two protocols': raw('P'),
    'one that stops in its head': raw(`${LINE}\r\n`),
    'one that never ends its head': raw(`${LINE}\r\n`, 'a: b\r\n'),
    'one that stops in its body': http1([withKey, 'Content-Length: 100'], 'abc'),
    'one that sends its body byte by byte': http1([withKey, 'Content-Length: 10000'], '', 'a'),
    'one that sends chunk after chunk': http1([withKey, 'Transfer-Encoding: chunked'], '', '1\r\na\r\n'),
    'one that goes on sending after it was refused': http1(['Content-Length: 10000'], '', 'a'),
    'one that has nothing more to ask': http1([withKey, 'Content-Length: 0']),
    'HTTP/2 without the rest of its preface': raw(PREFACE.slice(0, 10)),
    'HTTP/2 without settings': raw(PREFACE),
    'HTTP/2 without streams': raw(Buffer.concat([Buffer.from(PREFACE), SETTINGS])),
    'HTTP/2 that only pings': raw(
      Buffer.concat([Buffer.from(PREFACE), SETTINGS]),
      frame(FRAME.PING, 0, 0, Buffer.alloc(8)),
    ),
    'HTTP/2 with a call that sends nothing': http2(grpc),
    'HTTP/2 with a call that sends byte by byte': http2(grpc, oneByte),
    'HTTP/2 with a request that sends nothing': http2(http),
    'HTTP/2 with a request that sends byte by byte': http2(http, oneByte),
    'TLS that says nothing': async (t) => ({ socket: await connectRaw(t, tlsPort) }),
    'TLS for HTTP/2 that says nothing more': overTls(['h2']),
    'TLS for HTTP/1.1 that says nothing more': overTls(['http/1.1']),
  };

  // All at once: none of them waits for another one, and neither do those who behave.
  const endings = Object.entries(slow).map(([sentence, connect]) =>
    t.test(sentence, async (t) => endsWithin(PATIENCE_MS, await connect(t))),
  );
  const served = t.test('meanwhile others are served', async () => {
    assert.equal((await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status, 200);
  });
  await Promise.all([...endings, served]);

  await t.test('and nothing is left of them', async () => {
    await until('no request is in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 0);
    await until('no connection is open', async () => (await gateway.metric('keygate_connections')) === 0);
    await until('no request to the collector is open', () => collector.open() === 0);
  });
});

async function endsWithin(patienceMs: number, { socket, drip }: Slow): Promise<void> {
  socket.resume();
  const dripping = drip === undefined ? undefined : setInterval(() => socket.writable && socket.write(drip), DRIP_MS);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it was still open after ${patienceMs} ms`)), patienceMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  }).finally(() => clearInterval(dripping));
}

test('whoever was refused for nonsense cannot keep our side of the connection open', async (t) => {
  const gateway = await startGateway(t, {});
  const socket = net.connect({ host: '127.0.0.1', port: gateway.addresses.http.port, allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.write('nonsense\r\n\r\n');
  await until('it is answered', () => answer.startsWith('HTTP/1.1 400 '));
  await until('its connection is gone', async () => (await gateway.metric('keygate_connections')) === 0, 3_000);
});
