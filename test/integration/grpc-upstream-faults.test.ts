import assert from 'node:assert/strict';
import type * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startBrokenServer } from '../support/broken-server.ts';
import { NOBODYS_PORT } from '../support/ports.ts';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, readRefusal } from '../support/grpc-client.ts';
import type { GrpcAnswer } from '../support/grpc-client.ts';
import { until } from '../support/wait.ts';

type Stream = http2.ServerHttp2Stream;

async function gatewayTo(t: TestContext, url: string, timeout = '5s'): Promise<() => Promise<GrpcAnswer>> {
  const gateway = await startGateway(t, { upstream: { grpc: url, timeout } });
  const { text: key } = await gateway.createKey();
  const session = await connectGrpc(t, gateway.grpcAddress);
  return () => callGrpc(session, { body: frame(Buffer.alloc(1_000)), headers: { 'x-api-key': key } });
}

/** What the sender is told; the delay of the hint is within its bounds. */
function assertUnavailable(answer: GrpcAnswer, { reason = 'upstream_unavailable', trailersOnly = true } = {}): void {
  const refusal = readRefusal(answer);
  assert.deepEqual({ ...refusal, retrySeconds: 0 }, { code: 14, reason, trailersOnly, retrySeconds: 0 });
  assert.match(String(refusal.retrySeconds), /^[1-5]$/);
  assert.deepEqual([answer.headers['content-type'], answer.resetCode], ['application/grpc', 0]);
}

function answerAfter(hear: (stream: Stream) => void): (stream: Stream) => void {
  return (stream) => void stream.resume().once('end', () => hear(stream));
}

function plainAnswer(status: number, type: string, body = '<h1>nginx</h1>'): (stream: Stream) => void {
  return (stream) => {
    stream.respond({ ':status': status, 'content-type': type });
    stream.end(body);
  };
}

describe('a gRPC sender is told to retry, and the collector gets its request once,', () => {
  const RESETS = { NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, CANCEL: 8, INADEQUATE_SECURITY: 12 };
  for (const [name, code] of Object.entries(RESETS)) {
    it(`when the collector resets the stream with ${name}`, async (t) => {
      const collector = await startCollector(t, { onGrpcHead: answerAfter((stream) => stream.close(code)) });
      const call = await gatewayTo(t, collector.grpcUrl);
      assertUnavailable(await call());
      assert.equal(collector.begun(), 1);
    });
  }

  it('when the collector resets the stream with ENHANCE_YOUR_CALM: it is overloaded', async (t) => {
    const collector = await startCollector(t, { onGrpcHead: answerAfter((stream) => stream.close(11)) });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call(), { reason: 'upstream_overloaded' });
    assert.equal(collector.begun(), 1);
  });

  it('when the collector resets the stream after its headers', async (t) => {
    const collector = await startCollector(t, {
      onGrpcHead: answerAfter((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        setImmediate(() => stream.close(2));
      }),
    });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call(), { trailersOnly: false });
    assert.equal(collector.begun(), 1);
  });

  it('when the collector drops the connection while the request waits', async (t) => {
    const collector = await startCollector(t, { onGrpcHead: answerAfter((stream) => stream.session?.destroy()) });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call());
    assert.equal(collector.begun(), 1);
  });

  it('when the collector drops the connection in the middle of its answer', async (t) => {
    const collector = await startCollector(t, {
      onGrpcHead: answerAfter((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.write(frame(Buffer.alloc(1_000)).subarray(0, 500));
        setImmediate(() => stream.session?.socket.destroy());
      }),
    });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call(), { trailersOnly: false });
    assert.equal(collector.begun(), 1);
  });

  it('when the collector ends its answer without a status', async (t) => {
    const collector = await startCollector(t, {
      onGrpcHead: answerAfter((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.end(frame(Buffer.alloc(0)));
      }),
    });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call(), { trailersOnly: false });
    assert.equal(collector.begun(), 1);
  });

  for (const [what, answer] of [
    ['500 and HTML', plainAnswer(500, 'text/html')],
    ['404 and text', plainAnswer(404, 'text/plain')],
    ['404 and an empty body', plainAnswer(404, 'text/plain', '')],
    ['401 and HTML', plainAnswer(401, 'text/html')],
    ['403 and JSON', plainAnswer(403, 'application/json', '{}')],
    ['413 and HTML', plainAnswer(413, 'text/html')],
    ['502 and HTML', plainAnswer(502, 'text/html')],
    ['200 and a login page', plainAnswer(200, 'text/html')],
    ['200 and nothing', (stream: Stream) => stream.respond({ ':status': 200 }, { endStream: true })],
    ['a large error page', plainAnswer(500, 'text/html', 'x'.repeat(500_000))],
  ] as const) {
    it(`when something on the way answers with ${what} instead of gRPC`, async (t) => {
      const collector = await startCollector(t, { onGrpcHead: answerAfter(answer) });
      const call = await gatewayTo(t, collector.grpcUrl);
      assertUnavailable(await call());
      assert.equal(collector.begun(), 1);
    });
  }
});

describe('a gRPC sender is told to retry', () => {
  it('when nothing listens', async (t) => {
    const call = await gatewayTo(t, `http://127.0.0.1:${NOBODYS_PORT}`);
    for (let i = 0; i < 3; i++) assertUnavailable(await call());
  });

  it('when the name of the collector does not resolve', async (t) => {
    const call = await gatewayTo(t, 'http://no-such-collector.invalid:4317');
    assertUnavailable(await call());
  });

  for (const [what, onConnection] of [
    ['resets every connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['closes every connection', (socket: Socket) => void socket.end()],
    ['speaks HTTP/1.1', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n')],
    ['speaks nonsense', (socket: Socket) => void socket.write(Buffer.alloc(10_000, 0x7f))],
  ] as const) {
    it(`when what listens ${what}`, async (t) => {
      const server = await startBrokenServer(t, onConnection);
      const call = await gatewayTo(t, server.url);
      assertUnavailable(await call());
    });
  }

  it('when the collector refuses the stream: it said that it has not begun, so one more attempt is made', async (t) => {
    const collector = await startCollector(t, { onGrpcHead: answerAfter((stream) => stream.close(7)) });
    const call = await gatewayTo(t, collector.grpcUrl);
    assertUnavailable(await call());
    assert.ok(collector.begun() <= 2, `${collector.begun()} attempts`);
  });
});

describe('a gRPC sender gets the answer all the same', () => {
  it('when the collector says goodbye on the connection (GOAWAY) while the request is with it, and after that', async (t) => {
    const collector = await startCollector(t, {
      onGrpc(stream) {
        stream.session?.close();
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        setTimeout(() => stream.end(Buffer.alloc(5)), 20);
      },
    });
    const call = await gatewayTo(t, collector.grpcUrl);
    for (let i = 0; i < 5; i++) assert.equal((await call()).code, 0);
    const concurrent = await Promise.all(Array.from({ length: 20 }, call));
    assert.deepEqual(
      concurrent.map(({ code }) => code),
      concurrent.map(() => 0),
    );
    assert.equal(collector.arrivals.length, 25);
  });
});

describe('a gRPC sender runs into its deadline', () => {
  for (const [what, url] of [
    ['takes the connection and says nothing', async (t: TestContext) => (await startBrokenServer(t, () => {})).url],
    [
      'takes the request and says nothing',
      async (t: TestContext) => (await startCollector(t, { onGrpcHead: () => {} })).grpcUrl,
    ],
  ] as const) {
    it(`when the collector ${what}: 4, which is retried`, async (t) => {
      const call = await gatewayTo(t, await url(t), '300ms');
      assert.deepEqual(readRefusal(await call()), {
        code: 4,
        trailersOnly: true,
        reason: 'upstream_timeout',
        retrySeconds: undefined,
      });
    });
  }
});

describe('a collector that was away', () => {
  it('is used again when it is back, without a restart of the gateway', async (t) => {
    const first: Collector = await startCollector(t);
    const call = await gatewayTo(t, first.grpcUrl);
    assert.equal((await call()).code, 0);
    await first.close();
    for (let i = 0; i < 5; i++) assertUnavailable(await call());
    const ports = { grpc: Number(new URL(first.grpcUrl).port), http: Number(new URL(first.httpUrl).port) };
    await startCollector(t, { ports });
    await until('calls succeed again', async () => {
      const answer = await call();
      if (answer.code !== 0) assertUnavailable(answer);
      return answer.code === 0;
    });
  });
});
