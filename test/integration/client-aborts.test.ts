import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import type { Collector, CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, openGrpc, TRACES_PATH } from '../support/grpc-client.ts';
import { openHttp } from '../support/http-client.ts';
import { createCertificate } from '../support/tls.ts';
import { stillness, until } from '../support/wait.ts';

/** Enough that one leaked stream or socket each would show. */
const CLIENTS = 30;
/** More than all windows and buffers on the way hold. */
const STALLING_BYTES = 4 << 20;
/** Clients are promised 1 s; the rest is for a busy machine, and still less than any timeout here. */
const CANCELLED_WITHIN_MS = 1_500;

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly key: string;
  readonly ca: string | undefined;
}

interface SetupOptions extends CollectorOptions {
  readonly secure?: boolean;
}

/** The collector takes requests and never answers, unless it is told to. */
async function setUp(t: TestContext, { secure = false, ...options }: SetupOptions = {}): Promise<Setup> {
  const collector = await startCollector(t, { onGrpc: () => {}, onHttp: () => {}, ...options });
  const certificate = secure ? await createCertificate(t) : undefined;
  const tls = certificate ? { cert: certificate.certPath, key: certificate.keyPath } : null;
  const gateway = await startGateway(t, {
    listen: { grpc: { tls }, http: { tls } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl, timeout: '60s' },
  });
  const { text: key } = await gateway.createKey();
  return { gateway, collector, key, ca: certificate?.cert };
}

async function assertNothingLeft({ gateway, collector }: Setup, protocol: 'grpc' | 'http'): Promise<void> {
  await until('the collector is left alone', () => collector.open() === 0, CANCELLED_WITHIN_MS);
  await until(
    'nothing is in flight',
    async () => (await gateway.metric('keygate_requests_in_flight')) === 0,
    CANCELLED_WITHIN_MS,
  );
  assert.equal(await gateway.metric('keygate_requests_total', { protocol, verdict: 'cancelled' }), CLIENTS);
  // gRPC's few connections to the collector stay; each HTTP request held one, which no later request may be given.
  await until('connections to the collector are gone', () => collector.connections() <= (protocol === 'grpc' ? 2 : 0));
}

function times<T>(make: (index: number) => T): T[] {
  return Array.from({ length: CLIENTS }, (_, index) => make(index));
}

for (const secure of [false, true]) {
  describe(`a gRPC client over ${secure ? 'TLS' : 'plaintext'} that leaves`, () => {
    const connect = (t: TestContext, { gateway, ca }: Setup) =>
      connectGrpc(
        t,
        `${secure ? 'https' : 'http'}://localhost:${gateway.addresses.grpc.port}`,
        ca === undefined ? {} : { ca },
      );

    it('by resetting its stream while it waits is cancelled at the collector, and its connection goes on', async (t) => {
      const setup = await setUp(t, { secure });
      const session = await connect(t, setup);
      const streams = times(() => openGrpc(session, { headers: { 'x-api-key': setup.key } }));
      for (const stream of streams) stream.end(frame(Buffer.alloc(100)));
      await until('the collector has all requests', () => setup.collector.arrivals.length === CLIENTS);
      for (const stream of streams) stream.close(8);
      await assertNothingLeft(setup, 'grpc');
      assert.equal((await callGrpc(session, { path: '/nowhere' })).code, 12);
    });

    it('by dropping its connection while it waits is cancelled at the collector', async (t) => {
      const setup = await setUp(t, { secure });
      const sessions = await Promise.all(times(() => connect(t, setup)));
      for (const session of sessions)
        openGrpc(session, { headers: { 'x-api-key': setup.key } }).end(frame(Buffer.alloc(100)));
      await until('the collector has all requests', () => setup.collector.arrivals.length === CLIENTS);
      for (const [index, session] of sessions.entries()) {
        if (index % 2 === 0) session.destroy();
        else session.socket.destroySoon(); // as the end of a process: FIN, without a word of HTTP/2
      }
      await assertNothingLeft(setup, 'grpc');
      await until(
        'no connection is left',
        async () => (await setup.gateway.metric('keygate_connections', { port: 'grpc' })) === 0,
      );
    });

    it('in the middle of its request is cancelled at the collector', async (t) => {
      const setup = await setUp(t, { secure });
      const sessions = await Promise.all(times(() => connect(t, setup)));
      for (const session of sessions) {
        openGrpc(session, { headers: { 'x-api-key': setup.key } }).write(
          frame(Buffer.alloc(100_000)).subarray(0, 70_000),
        );
      }
      await until('the collector has all heads', () => setup.collector.begun() === CLIENTS);
      for (const session of sessions) session.destroy();
      await assertNothingLeft(setup, 'grpc');
    });
  });

  describe(`an HTTP client over ${secure ? 'TLS' : 'plaintext'} that leaves`, () => {
    const open = ({ gateway, key, ca }: Setup, body: Buffer | readonly Buffer[]) =>
      openHttp(gateway.httpUrl, { body, headers: { 'x-api-key': key }, ...(ca === undefined ? {} : { ca }) }).request;

    it('while it waits is cancelled at the collector', async (t) => {
      const setup = await setUp(t, { secure });
      const requests = times(() => open(setup, Buffer.alloc(100)));
      for (const request of requests) request.end(Buffer.alloc(100));
      await until('the collector has all requests', () => setup.collector.arrivals.length === CLIENTS);
      for (const request of requests) request.destroy();
      await assertNothingLeft(setup, 'http');
    });

    it('in the middle of its body is cancelled at the collector, and its body does not look complete', async (t) => {
      const setup = await setUp(t, { secure });
      // Half of them chunked, half with an announced length.
      const requests = times((index) => open(setup, index % 2 === 0 ? [] : Buffer.alloc(100_000)));
      for (const request of requests) request.write(Buffer.alloc(50_000));
      await until('the collector has all heads', () => setup.collector.begun() === CLIENTS);
      for (const request of requests) request.destroy();
      await assertNothingLeft(setup, 'http');
      assert.deepEqual([setup.collector.arrivals.length, setup.collector.cut()], [0, CLIENTS]);
    });

    it('in the middle of the answer is cancelled at the collector', async (t) => {
      const setup = await setUp(t, {
        secure,
        onHttp(response) {
          response.writeHead(200, { 'content-type': 'application/x-protobuf' });
          response.write('the beginning of a long answer');
        },
      });
      const requests = times(() => open(setup, Buffer.alloc(100)));
      const beginnings = requests.map((request) => new Promise((resolve) => request.once('response', resolve)));
      for (const request of requests) request.end(Buffer.alloc(100));
      await Promise.all(beginnings);
      for (const request of requests) request.destroy();
      await assertNothingLeft(setup, 'http');
    });
  });
}

describe('a client over HTTP/2 that leaves while the collector reads nothing of its body', () => {
  for (const [protocol, type, path] of [
    ['gRPC', 'application/grpc', TRACES_PATH],
    ['OTLP/HTTP', 'application/x-protobuf', '/v1/traces'],
  ] as const) {
    for (const code of [0, 8]) {
      it(`(${protocol}, reset with ${code}) is cancelled at the collector, and nothing is said to it afterwards`, async (t) => {
        const unread: Readable[] = [];
        const collector = await startCollector(t, {
          onGrpcHead: (stream) => void unread.push(stream.pause()),
          onHttpHead: (request) => void unread.push(request.pause()),
        });
        const gateway = await startGateway(t, {
          upstream: { grpc: collector.grpcUrl, http: collector.httpUrl, timeout: '2s' },
        });
        const { text: key } = await gateway.createKey();
        const session = await connectGrpc(t, gateway.httpUrl);
        const streams = times(() => openGrpc(session, { path, headers: { 'content-type': type, 'x-api-key': key } }));
        for (const stream of streams) stream.write(Buffer.alloc(STALLING_BYTES));
        await until('the collector has all heads', () => collector.begun() === CLIENTS);
        await until(
          'nothing moves any more',
          stillness(() => streams.reduce((sum, { bufferSize }) => sum + bufferSize, 0), 200),
        );
        for (const stream of streams) stream.close(code);
        await until(
          'nothing is in flight',
          async () => (await gateway.metric('keygate_requests_in_flight')) === 0,
          CANCELLED_WITHIN_MS,
        );
        for (const body of unread) body.resume(); // or the end of an HTTP/1.1 connection would not be seen
        await until('the collector is left alone', () => collector.open() === 0, CANCELLED_WITHIN_MS);
        await delay(2_000); // past upstream.timeout: a timer that still wanted to answer would end the process
        assert.equal((await callGrpc(session, { path: '/nowhere' })).code, 12);
      });
    }
  }
});
