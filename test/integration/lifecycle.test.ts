import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startBrokenServer } from '../support/broken-server.ts';
import { answerGrpc, answerHttp, startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { callGrpc, connectGrpc, frame, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import {
  block,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame as frameOf,
  grpcHead,
} from '../support/h2-frames.ts';
import type { FrameConnection } from '../support/h2-frames.ts';
import { callHttp, connectRaw, keepAliveAgent, openHttp } from '../support/http-client.ts';
import { runKeygateServe, startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { until } from '../support/wait.ts';

interface Setup {
  readonly keygate: KeygateProcess;
  readonly collector: Collector;
  readonly headers: { readonly 'x-api-key': string };
  /** Lets the collector answer what it has got, and what comes later. */
  release(): void;
}

/** A collector that answers when it is told to, so that requests are in flight for as long as a test wants. */
async function setUp(t: TestContext, limits: Readonly<Record<string, string>> = {}): Promise<Setup> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const collector = await startCollector(t, {
    onGrpc: (stream) => void released.then(() => answerGrpc(stream)),
    onHttp: (response, arrival) => void released.then(() => answerHttp(response, arrival)),
  });
  const keygate = await startKeygateProcess(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    limits,
  });
  return { keygate, collector, headers: { 'x-api-key': keygate.key }, release };
}

async function readiness({ addresses }: KeygateProcess): Promise<[status: number, text: string]> {
  const response = await fetch(`http://${addresses.ops}/readyz`);
  return [response.status, await response.text()];
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Calls with a good end: trailers behind an answer, not a refusal. */
function answered(of: FrameConnection['of']): number {
  const ended = of(FRAME.HEADERS).filter(({ flags }) => (flags & END_STREAM) !== 0);
  return ended.filter(({ payload }) => !payload.includes('grpc-message')).length;
}

describe('a gateway that is told to stop', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`(${signal}) turns unready, says goodbye, finishes what is in flight, and exits with 0`, async (t) => {
      const { keygate, collector, headers, release } = await setUp(t);
      const origin = `http://${keygate.addresses.http}`;
      const session = await connectGrpc(t, keygate.addresses.grpc);
      const idle = await connectGrpc(t, keygate.addresses.http);
      const stream = openGrpc(session, { headers });
      const grpcAnswer = readGrpc(stream);
      stream.end(frame(Buffer.alloc(10)));
      const { request, answer: httpAnswer } = openHttp(origin, {
        headers,
        body: Buffer.alloc(10),
        agent: keepAliveAgent(t),
      });
      request.end(Buffer.alloc(10));
      const connectionHeader = once(request, 'response').then(
        ([response]) => (response as { headers: Record<string, string> }).headers['connection'],
      );
      await until('both are in flight', () => collector.arrivals.length === 2);
      assert.deepEqual(await readiness(keygate), [200, 'ready\n']);

      const goodbyes = Promise.all([session, idle].map((one) => once(one, 'goaway')));
      keygate.signal(signal);
      assert.deepEqual(
        (await goodbyes).map(([code]) => code as number),
        [http2.constants.NGHTTP2_NO_ERROR, http2.constants.NGHTTP2_NO_ERROR],
      );
      await until('it is not ready', async () => (await readiness(keygate))[0] === 503);
      assert.deepEqual(await readiness(keygate), [503, 'draining\n']);
      await assert.rejects(callHttp(origin, { headers }), { code: 'ECONNREFUSED' });
      assert.equal(await keygate.metric('keygate_draining'), 1);

      release();
      assert.equal((await grpcAnswer).code, 0);
      assert.equal((await httpAnswer).status, 200);
      assert.equal(await connectionHeader, 'close');
      const { code, stdout } = await keygate.exited;
      assert.equal(code, 0);
      assert.match(stdout, /"message":"drained"\}\n$/);
    });
  }

  it('is not ready before anything else: all is served for limits.drainDelay, new connections too, and nobody is sent away', async (t) => {
    const { keygate, headers, release } = await setUp(t, { drainDelay: '10m' });
    release();
    const origin = `http://${keygate.addresses.http}`;
    const old = await connectGrpc(t, keygate.addresses.grpc);
    let goodbyes = 0;
    old.on('goaway', () => (goodbyes += 1));
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate))[0] === 503);
    assert.equal(await keygate.metric('keygate_draining'), 1);

    for (const session of [old, await connectGrpc(t, keygate.addresses.grpc)]) {
      assert.equal((await callGrpc(session, { headers })).code, 0);
    }
    const { request, answer } = openHttp(origin, { headers, agent: keepAliveAgent(t) });
    request.end('telemetry');
    const [{ headers: fields }] = (await once(request, 'response')) as [{ headers: Record<string, string> }];
    assert.notEqual(fields['connection'], 'close');
    assert.deepEqual([(await answer).status, goodbyes], [200, 0]);
    keygate.signal('SIGTERM'); // it need not be waited for
    assert.equal((await keygate.exited).code, 143);
  });

  it('closes its ports when limits.drainDelay is over', async (t) => {
    const { keygate, headers, release } = await setUp(t, { drainDelay: '200ms' });
    release();
    keygate.signal('SIGTERM');
    const { code, stdout } = await keygate.exited;
    assert.equal(code, 0);
    assert.match(stdout, /"duration_ms":200,"message":"draining: not ready[^]*draining: no new connections[^]*drained/);
    await assert.rejects(callHttp(`http://${keygate.addresses.http}`, { headers }), { code: 'ECONNREFUSED' });
  });

  it('takes no more requests on a connection that is kept, and says so', async (t) => {
    const { keygate, collector, headers, release } = await setUp(t);
    const socket = await connectRaw(t, portOf(keygate.addresses.http));
    const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-api-key: ${headers['x-api-key']}\r\ncontent-length: 0\r\n\r\n`;
    socket.write(head);
    await until('it is in flight', () => collector.arrivals.length === 1);
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate))[0] === 503);
    release();
    const chunks: Buffer[] = [];
    socket.once('data', () => socket.write(head)); // too late: the answer said close
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    assert.deepEqual(text.match(/^HTTP\/1\.1 \d+|^connection: \w+/gim), ['HTTP/1.1 200', 'connection: close']);
    assert.equal((await keygate.exited).code, 0);
    assert.equal(collector.arrivals.length, 1);
  });

  // Node's server names the last stream at once, and does not answer what is under way.
  const skip = process.env['KEYGATE_PLANE'] === 'library';
  it('answers each request that was sent before its sender could know, however many there are', { skip }, async (t) => {
    const ACK = 0x1;
    const CONNECTIONS = 4;
    const { keygate, headers, release } = await setUp(t);
    release();
    const head = block(grpcHead(['x-api-key', headers['x-api-key']]));
    const connections = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => connectFrames(t, portOf(keygate.addresses.grpc))),
    );
    /** Keeps calls in flight until it hears that the gateway goes; resolves with how many were sent. */
    const send = async ({ of, send: write, closed }: FrameConnection): Promise<number> => {
      let sent = 0;
      while (of(FRAME.GOAWAY).length === 0) {
        if (sent - answered(of) < 20) {
          await write(frameOf(FRAME.HEADERS, END_HEADERS | END_STREAM, 2 * sent + 1, head));
          sent += 1;
        } else await new Promise(setImmediate);
      }
      for (const { payload } of of(FRAME.PING)) await write(frameOf(FRAME.PING, ACK, 0, payload));
      await closed;
      return sent;
    };
    const all = Promise.all(connections.map(send));
    await until('there is load', () => connections.every(({ of }) => answered(of) > 50));
    keygate.signal('SIGTERM');
    const sent = await all;
    assert.deepEqual(
      connections.map(({ of }) => [answered(of), of(FRAME.RST_STREAM).length]),
      sent.map((calls) => [calls, 0]),
    );
    assert.equal((await keygate.exited).code, 0);
  });

  it('does not wait for connections on which nothing is in flight', async (t) => {
    const { keygate, headers, release } = await setUp(t);
    release();
    const agent = keepAliveAgent(t);
    assert.equal((await callHttp(`http://${keygate.addresses.http}`, { headers, agent })).status, 200);
    await connectGrpc(t, keygate.addresses.grpc);
    await connectRaw(t, portOf(keygate.addresses.http)); // has said nothing yet
    await connectRaw(t, portOf(keygate.addresses.grpc));
    const startedAt = performance.now();
    keygate.signal('SIGTERM');
    assert.equal((await keygate.exited).code, 0);
    assert.ok(performance.now() - startedAt < 3_000, `it took ${performance.now() - startedAt} ms`);
  });

  it('ends a connection that is kept once the answer that had begun on it is finished', async (t) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const collector = await startCollector(t, {
      onHttp(response) {
        response.write('first half, ');
        void released.then(() => response.end('second half'));
      },
    });
    const keygate = await startKeygateProcess(t, { upstream: { http: collector.httpUrl } });
    const { request, answer } = openHttp(`http://${keygate.addresses.http}`, {
      headers: { 'x-api-key': keygate.key },
      agent: keepAliveAgent(t),
      body: [],
    });
    request.end();
    await once(request, 'response');
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate))[0] === 503);
    const startedAt = performance.now();
    release();
    assert.equal((await answer).body.toString(), 'first half, second half');
    assert.equal((await keygate.exited).code, 0);
    assert.ok(performance.now() - startedAt < 3_000, `it took ${performance.now() - startedAt} ms`);
  });

  it('asks senders to retry what does not finish within the drain timeout, and exits with 0 all the same', async (t) => {
    const { keygate, collector, headers } = await setUp(t, { drainTimeout: '300ms' });
    const session = await connectGrpc(t, keygate.addresses.grpc);
    const stream = openGrpc(session, { headers });
    const grpcAnswer = readGrpc(stream);
    stream.end(frame(Buffer.alloc(10)));
    const httpAnswer = callHttp(`http://${keygate.addresses.http}`, {
      headers: { ...headers, 'content-type': 'application/json' },
      body: Buffer.from('{}'),
      agent: keepAliveAgent(t),
    });
    await until('both are in flight', () => collector.arrivals.length === 2);
    keygate.signal('SIGTERM');

    const { code, trailersOnly, reason, retrySeconds } = readRefusal(await grpcAnswer);
    assert.deepEqual({ code, trailersOnly, reason }, { code: 14, trailersOnly: true, reason: 'draining' });
    assert.ok(retrySeconds !== undefined && retrySeconds >= 1);
    const { status, body } = await httpAnswer;
    assert.equal(status, 503);
    assert.equal(JSON.parse(body.toString()).details[0].reason, 'draining');
    assert.equal((await keygate.exited).code, 0);
    await until('the collector is left alone', () => collector.open() === 0);
  });

  it('exits at once on a second signal', async (t) => {
    const { keygate, collector, headers } = await setUp(t);
    openHttp(`http://${keygate.addresses.http}`, { headers, body: [] }).request.end();
    await until('it is in flight', () => collector.arrivals.length === 1);
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate))[0] === 503);
    keygate.signal('SIGTERM');
    const { code, stdout } = await keygate.exited;
    assert.equal(code, 143);
    assert.match(stdout, /stopped without waiting for requests in flight/);
  });
});

describe('a gateway that cannot start', () => {
  const upstream = { grpc: 'http://127.0.0.1:4317' };

  for (const port of ['listen.grpc', 'listen.http', 'admin', 'ops'] as const) {
    it(`names the port of ${port} that is taken, and exits with 1`, async (t) => {
      const { url } = await startBrokenServer(t, () => {});
      const taken = { address: `127.0.0.1:${new URL(url).port}` };
      const free = { address: '127.0.0.1:0' };
      const { code, stdout } = await runKeygateServe(t, {
        listen: { grpc: port === 'listen.grpc' ? taken : free, http: port === 'listen.http' ? taken : free },
        admin: port === 'admin' ? taken : free,
        ops: port === 'ops' ? taken : free,
        upstream,
      });
      const fatal = stdout.split('\n').find((line) => line.includes('"fatal"')) ?? '{}';
      assert.deepEqual(
        [code, (JSON.parse(fatal) as { message: string }).message, (JSON.parse(fatal) as { cause: string }).cause],
        [
          1,
          'keygate cannot start',
          `listen EADDRINUSE: address already in use ${taken.address}: another program has this port. Stop it, or set another address (listen.*, admin.address, ops.address).`,
        ],
      );
    });
  }

  it('names every fault of its configuration at once, and exits with 1', async (t) => {
    const { code, stdout, stderr } = await runKeygateServe(t, {
      listen: { grpc: { address: 'nowhere' } },
      upstream: { grpc: 'ftp://collector', timeout: '1y' },
      limits: { maxHeaders: 3 },
      keyz: {},
    });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^The configuration has 5 faults:$/m);
    for (const path of ['listen.grpc.address', 'upstream.grpc', 'upstream.timeout', 'limits.maxHeaders', 'keyz']) {
      assert.ok(stderr.includes(`  ${path}`), `${path} is not named in: ${stderr}`);
    }
  });
});

describe('a gateway whose collector is away', () => {
  it('starts, is ready, and tells senders to retry', async (t) => {
    const keygate = await startKeygateProcess(t, {
      upstream: { grpc: 'http://127.0.0.1:1', http: 'http://127.0.0.1:1' },
    });
    assert.deepEqual(await readiness(keygate), [200, 'ready\n']);
    const session = await connectGrpc(t, keygate.addresses.grpc);
    const stream = openGrpc(session, { headers: { 'x-api-key': keygate.key } });
    stream.end(frame(Buffer.alloc(10)));
    assert.deepEqual(readRefusal(await readGrpc(stream)).code, 14);
  });
});
