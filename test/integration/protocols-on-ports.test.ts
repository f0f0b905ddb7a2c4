import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import type { Arrival, Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, reasonOf, TRACES_PATH } from '../support/grpc-client.ts';
import { block, connectFrames, END_HEADERS, FRAME, frame as h2Frame, uint32 } from '../support/h2-frames.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly key: string;
  readonly ca: string | undefined;
  origin(port: 'grpc' | 'http'): string;
  connect(port: 'grpc' | 'http'): Promise<http2.ClientHttp2Session>;
}

async function setUp(t: TestContext, secure: boolean): Promise<Setup> {
  const collector = await startCollector(t);
  const certificate = secure ? await createCertificate(t) : undefined;
  const tls = certificate ? { cert: certificate.certPath, key: certificate.keyPath } : null;
  const gateway = await startGateway(t, {
    listen: { grpc: { tls }, http: { tls } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  const { text: key } = await gateway.createKey();
  const ca = certificate?.cert;
  const origin = (port: 'grpc' | 'http'): string =>
    `${secure ? 'https' : 'http'}://localhost:${gateway.addresses[port].port}`;
  return {
    gateway,
    collector,
    key,
    ca,
    origin,
    connect: (port) => connectGrpc(t, origin(port), ca === undefined ? {} : { ca }),
  };
}

for (const secure of [false, true]) {
  describe(secure ? 'with TLS, by ALPN' : 'in plaintext, by the first bytes', () => {
    for (const port of ['grpc', 'http'] as const) {
      it(`the ${port} port takes OTLP/HTTP over HTTP/1.1`, async (t) => {
        const { origin, key, ca, collector } = await setUp(t, secure);
        const { status } = await callHttp(origin(port), {
          headers: { 'x-api-key': key },
          ...(ca === undefined ? {} : { ca }),
        });
        assert.deepEqual([status, collector.arrivals.map(({ protocol }) => protocol)], [200, ['http']]);
      });

      it(`the ${port} port takes OTLP/HTTP over HTTP/2, and the collector gets it over HTTP/1.1`, async (t) => {
        const { connect, key, collector } = await setUp(t, secure);
        const body = randomBytes(300_000);
        const session = await connect(port);
        const { status, headers } = await callHttpOverH2(session, {
          body: [body.subarray(0, 10), body.subarray(10)],
          headers: { 'x-api-key': key, 'content-encoding': 'zstd' },
        });
        const [arrival] = collector.arrivals;
        assert.deepEqual([status, headers['content-type']], [200, 'application/x-protobuf']);
        assert.ok(arrival);
        assert.deepEqual(
          [arrival.protocol, arrival.path, arrival.headers['content-encoding']],
          ['http', '/v1/traces', ['zstd']],
        );
        assert.ok(arrival.body.equals(body));
        assert.deepEqual(
          Object.keys(arrival.headers).filter((name) => name.startsWith(':')),
          [],
        );
      });

      it(`the ${port} port takes gRPC, and tells it from OTLP/HTTP on the same connection`, async (t) => {
        const { connect, key, collector } = await setUp(t, secure);
        const session = await connect(port);
        const body = frame(randomBytes(300_000));
        const [grpc, http] = await Promise.all([
          callGrpc(session, { body, headers: { 'x-api-key': key } }),
          callHttpOverH2(session, { headers: { 'x-api-key': key } }),
        ]);
        assert.deepEqual([grpc.code, http.status], [0, 200]);
        assert.deepEqual(collector.arrivals.map(({ protocol }) => protocol).toSorted(), ['grpc', 'http']);
        assert.ok(collector.arrivals.some((arrival) => arrival.body.equals(body)));
      });
    }

    it('a refusal of OTLP/HTTP over HTTP/2 is as over HTTP/1.1, and the connection stays usable', async (t) => {
      const { connect, key } = await setUp(t, secure);
      const session = await connect('http');
      const refused = await callHttpOverH2(session, {
        headers: { 'x-api-key': 'unknown' },
        body: Buffer.alloc(500_000),
      });
      assert.deepEqual(
        [refused.status, refused.headers['content-type'], reasonOf(decodeStatus(refused.body))],
        [403, 'application/x-protobuf', 'unknown_key'],
      );
      const head = await callHttpOverH2(session, { method: 'HEAD', body: [], headers: { 'x-api-key': key } });
      assert.deepEqual([head.status, head.headers['allow'], head.body.length], [405, 'POST', 0]);
      assert.equal((await callHttpOverH2(session, { headers: { 'x-api-key': key } })).status, 200);
    });
  });
}

describe('a request over HTTP/2', () => {
  it('is told to continue only after its key was judged', async (t) => {
    const { connect, key } = await setUp(t, false);
    const session = await connect('http');
    const continued = await callHttpOverH2(session, { headers: { 'x-api-key': key, expect: '100-continue' } });
    assert.deepEqual([continued.status, continued.continued], [200, true]);
    const refused = await callHttpOverH2(session, { headers: { 'x-api-key': 'unknown', expect: '100-continue' } });
    assert.deepEqual([refused.status, refused.continued], [403, false]);
  });

  for (const [protocol, type, path] of [
    ['OTLP/HTTP', 'application/x-protobuf', '/v1/traces'],
    ['gRPC', 'application/grpc', TRACES_PATH],
  ] as const) {
    for (const [how, cut] of [
      ['a reset with NO_ERROR', (socket: Socket) => void socket.write(h2Frame(FRAME.RST_STREAM, 0, 1, uint32(0)))],
      ['a reset with CANCEL', (socket: Socket) => void socket.write(h2Frame(FRAME.RST_STREAM, 0, 1, uint32(8)))],
      ['the end of its connection', (socket: Socket) => void socket.end()],
      ['the reset of its connection', (socket: Socket) => void socket.resetAndDestroy()],
    ] as const) {
      it(`(${protocol}) that is cut off by ${how} does not look complete to the collector`, async (t) => {
        const { gateway, key, collector } = await setUp(t, false);
        const { socket, send } = await connectFrames(t, gateway.addresses.http.port);
        const head = block([
          [':method', 'POST'],
          [':scheme', 'http'],
          [':authority', 'x'],
          [':path', path],
          ['content-type', type],
          ['x-api-key', key],
        ]);
        await send(
          h2Frame(FRAME.HEADERS, END_HEADERS, 1, head),
          h2Frame(FRAME.DATA, 0, 1, frame(Buffer.alloc(100)).subarray(0, 50)),
        );
        await until('the collector has got the head', () => collector.begun() === 1);
        cut(socket);
        await until('the collector has seen the cut', () => collector.open() === 0, 1_000);
        assert.deepEqual(collector.arrivals.filter(isWhole), []);
        assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
      });
    }
  }

  /** Node ends a gRPC stream before it resets it; what makes a message complete is its length. */
  function isWhole({ protocol, body }: Arrival): boolean {
    return protocol === 'http' || (body.length >= 5 && body.length === 5 + body.readUInt32BE(1));
  }

  it('that breaks off in the middle of the answer looks broken to the client', async (t) => {
    const collector = await startCollector(t, {
      onHttp(response) {
        response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 100 });
        response.write('half');
        setImmediate(() => response.destroy());
      },
    });
    const gateway = await startGateway(t, { upstream: { http: collector.httpUrl } });
    const { text: key } = await gateway.createKey();
    const session = await connectGrpc(t, gateway.httpUrl);
    await assert.rejects(callHttpOverH2(session, { headers: { 'x-api-key': key } }));
    await assert.rejects(callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } }), { code: 'ECONNRESET' });
  });
});
