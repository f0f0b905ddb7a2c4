import assert from 'node:assert/strict';
import type * as http from 'node:http';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startBrokenServer } from '../support/broken-server.ts';
import { NOBODYS_PORT } from '../support/ports.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc, reasonOf, retrySecondsOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

interface Senders {
  readonly http1: () => Promise<HttpAnswer>;
  readonly http2: () => Promise<HttpAnswer>;
}

const BODY = Buffer.alloc(10_000, 'x');

async function gatewayTo(t: TestContext, url: string, timeout = '5s'): Promise<Senders> {
  const gateway = await startGateway(t, { upstream: { http: url, timeout } });
  const headers = { 'x-api-key': (await gateway.createKey()).text };
  const session = await connectGrpc(t, gateway.httpUrl);
  return {
    http1: () => callHttp(gateway.httpUrl, { headers, body: BODY }),
    http2: () => callHttpOverH2(session, { headers, body: BODY }),
  };
}

function assertUnavailable({ status, headers, body }: HttpAnswer): void {
  const decoded = decodeStatus(body);
  assert.deepEqual(
    [status, headers['content-type'], decoded.code, reasonOf(decoded)],
    [503, 'application/x-protobuf', 14, 'upstream_unavailable'],
  );
  assert.match(headers['retry-after'] ?? '', /^[1-5]$/);
  assert.equal(retrySecondsOf(decoded), Number(headers['retry-after']));
}

describe('an HTTP sender is told to retry, and the collector gets its request once,', () => {
  for (const [what, hear] of [
    ['closes the connection', (response: http.ServerResponse) => void response.destroy()],
    ['resets the connection', (response: http.ServerResponse) => void response.socket?.resetAndDestroy()],
    ['answers with what is not HTTP', (response: http.ServerResponse) => void response.socket?.end('what?\r\n\r\n')],
    [
      'answers with half a head',
      (response: http.ServerResponse) => void response.socket?.end('HTTP/1.1 200 OK\r\ncontent-ty'),
    ],
    [
      'answers with a head that is too large',
      (response: http.ServerResponse) =>
        void response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`),
    ],
  ] as const) {
    it(`when the collector takes the request and ${what}`, async (t) => {
      const collector = await startCollector(t, { onHttp: hear });
      const { http1, http2 } = await gatewayTo(t, collector.httpUrl);
      assertUnavailable(await http1());
      assert.equal(collector.begun(), 1);
      assertUnavailable(await http2());
      assert.equal(collector.begun(), 2);
    });

    it(`when the collector ${what} while the body is coming`, async (t) => {
      const collector = await startCollector(t, { onHttpHead: (_request, response) => hear(response) });
      const { http1 } = await gatewayTo(t, collector.httpUrl);
      assertUnavailable(await http1());
      assert.equal(collector.begun(), 1);
    });
  }

  it('when the collector drops a connection that was kept from an earlier request', async (t) => {
    let requests = 0;
    const collector = await startCollector(t, {
      onHttp(response) {
        requests += 1;
        if (requests > 1) response.destroy();
        else response.end();
      },
    });
    const { http1 } = await gatewayTo(t, collector.httpUrl);
    assert.equal((await http1()).status, 200);
    assertUnavailable(await http1());
    assert.equal(collector.begun(), 2);
  });
});

describe('an HTTP sender is told to retry', () => {
  it('when nothing listens, or the name does not resolve', async (t) => {
    for (const url of [`http://127.0.0.1:${NOBODYS_PORT}`, 'http://no-such-collector.invalid:4318']) {
      const { http1, http2 } = await gatewayTo(t, url);
      assertUnavailable(await http1());
      assertUnavailable(await http2());
    }
  });

  for (const [what, onConnection] of [
    ['resets every connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['closes every connection', (socket: Socket) => void socket.end()],
  ] as const) {
    it(`when what listens ${what}`, async (t) => {
      const server = await startBrokenServer(t, onConnection);
      const { http1, http2 } = await gatewayTo(t, server.url);
      assertUnavailable(await http1());
      assertUnavailable(await http2());
    });
  }
});

describe('an HTTP sender sees a broken connection, on which it retries,', () => {
  for (const [what, head] of [
    ['an announced length', { 'content-length': '1000' }],
    ['chunks', {}],
  ] as const) {
    it(`when the collector breaks off an answer with ${what}`, async (t) => {
      const collector = await startCollector(t, {
        onHttp(response) {
          response.writeHead(200, { 'content-type': 'application/x-protobuf', ...head });
          response.write('half');
          setImmediate(() => response.destroy());
        },
      });
      const { http1, http2 } = await gatewayTo(t, collector.httpUrl);
      await assert.rejects(http1(), { code: 'ECONNRESET' });
      await assert.rejects(http2());
      assert.equal(collector.begun(), 2);
    });
  }
});

describe('an HTTP sender waits no longer than upstream.timeout', () => {
  for (const [what, url] of [
    ['takes the connection and says nothing', async (t: TestContext) => (await startBrokenServer(t, () => {})).url],
    [
      'takes the request and says nothing',
      async (t: TestContext) => (await startCollector(t, { onHttp: () => {} })).httpUrl,
    ],
  ] as const) {
    it(`when the collector ${what}: 504, which is retried`, async (t) => {
      const { http1 } = await gatewayTo(t, await url(t), '300ms');
      const { status, body } = await http1();
      const decoded = decodeStatus(body);
      assert.deepEqual([status, decoded.code, reasonOf(decoded)], [504, 4, 'upstream_timeout']);
    });
  }
});

describe('a collector that was away', () => {
  it('is used again as soon as it is back, without a restart of the gateway', async (t) => {
    const first = await startCollector(t);
    const { http1 } = await gatewayTo(t, first.httpUrl);
    assert.equal((await http1()).status, 200);
    await first.close();
    for (let i = 0; i < 5; i++) assertUnavailable(await http1());
    await startCollector(t, {
      ports: { grpc: Number(new URL(first.grpcUrl).port), http: Number(new URL(first.httpUrl).port) },
    });
    await until('requests succeed again', async () => {
      const answer = await http1();
      if (answer.status !== 200) assertUnavailable(answer);
      return answer.status === 200;
    });
  });
});
