import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import type { Endpoints, EndpointsListener } from '../../src/upstream/endpoints.ts';
import { startBrokenServer } from '../support/broken-server.ts';
import { findPort, NOBODYS_PORT } from '../support/ports.ts';
import { answerGrpc, listenOnLoopback, startCollector } from '../support/collector.ts';
import { answerAtEnd, endsStream, grpcAnswer, headers, startFrameServer } from '../support/frame-server.ts';
import type { ServedConnection } from '../support/frame-server.ts';
import { FRAME, frame, uint32 } from '../support/h2-frames.ts';
import type { Frame } from '../support/h2-frames.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import { MESSAGE, openCall, openUpstream, send } from '../support/wire-upstream.ts';

/** SETTINGS with MAX_CONCURRENT_STREAMS. */
const takesAtATime = (streams: number): Buffer =>
  frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 3]), uint32(streams)]));

/** Addresses that come and go as the test says. */
class ChangingEndpoints implements Endpoints {
  #all: Endpoint[] = [];
  #listener: EndpointsListener = () => {};

  /** What is told of how it fares. */
  add(url: string): string[] {
    const heard: string[] = [];
    const { port } = new URL(url);
    const options = { random: Math.random, probe: undefined, canBeSpared: () => true, changed: () => {} };
    const endpoint = new Endpoint({ address: '127.0.0.1', port: Number(port), ...options });
    endpoint.succeeded = () => void heard.push('succeeded');
    endpoint.failed = (failure) => void heard.push(failure);
    this.#all.push(endpoint);
    this.#listener('added', endpoint);
    return heard;
  }

  remove(url: string): void {
    const removed = this.#all.filter(({ port }) => port === Number(new URL(url).port));
    this.#all = this.#all.filter((endpoint) => !removed.includes(endpoint));
    for (const endpoint of removed) this.#listener('removed', endpoint);
  }

  pick(except?: Endpoint): Endpoint | undefined {
    return this.#all.find((endpoint) => endpoint !== except);
  }

  onChange(listener: EndpointsListener): void {
    this.#listener = listener;
    for (const endpoint of this.#all) listener('added', endpoint);
  }

  close(): void {}
}

describe('while the collector cannot be reached, a call fails instead of hanging', () => {
  it('when nothing listens: all who wait are told together, and then everyone at once', async (t) => {
    const upstream = openUpstream(t, `http://127.0.0.1:${NOBODYS_PORT}`);
    const calls = Array.from({ length: 20 }, () => send(upstream));
    for (const call of calls) assert.equal((await call.ended).reason, 'upstream_unavailable');
    assert.equal(send(upstream).reason, 'upstream_unavailable');
  });

  for (const [what, onConnection] of [
    ['resets every connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['closes every connection', (socket: Socket) => void socket.end()],
    ['speaks HTTP/1.1', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n')],
    ['speaks nonsense', (socket: Socket) => void socket.write(Buffer.alloc(10_000, 0x7f))],
  ] as const) {
    it(`when what listens ${what}`, async (t) => {
      const server = await startBrokenServer(t, onConnection);
      const call = await send(openUpstream(t, server.url)).ended;
      assert.deepEqual([call.reason, call.takenBytes], ['upstream_unavailable', 0]);
    });
  }

  it('when what listens says nothing: after the time that connecting may take', async (t) => {
    const server = await startBrokenServer(t, () => {});
    const upstream = openUpstream(t, server.url, { connectTimeoutMs: 200 });
    const call = send(upstream);
    await delay(100);
    assert.equal(call.reason, undefined);
    assert.equal((await call.ended).reason, 'upstream_unavailable');
  });

  it('when the name does not resolve', async (t) => {
    const upstream = openUpstream(t, 'http://no-such-collector.invalid:4317', { connectTimeoutMs: 200 });
    assert.equal((await send(upstream).ended).reason, 'upstream_unavailable');
  });

  it('and reaches it again when it is back', async (t) => {
    const port = await findPort();
    const upstream = openUpstream(t, `http://127.0.0.1:${port}`);
    assert.equal((await send(upstream).ended).reason, 'upstream_unavailable');
    await startCollector(t, { ports: { grpc: port, http: 0 } });
    await until('it is reached', async () => (await send(upstream).ended).grpcStatus === 0);
  });

  it('nor is it asked for a connection more often than the waits between attempts allow', async (t) => {
    const server = await startBrokenServer(t, (socket) => socket.destroy());
    const upstream = openUpstream(t, server.url);
    const until500 = performance.now() + 500;
    while (performance.now() < until500) await send(upstream).ended;
    assert.ok(server.taken() <= 4, `${server.taken()} connections`);
  });
});

describe('a collector that takes few streams at a time', () => {
  it('gets no more of them, and all calls in the end', async (t) => {
    let open = 0;
    let most = 0;
    const server = http2.createServer({ settings: { maxConcurrentStreams: 10 } });
    server.on('stream', (stream) => {
      open += 1;
      most = Math.max(most, open);
      stream.on('close', () => (open -= 1)).on('error', () => {});
      stream.resume().once('end', () => setTimeout(() => answerGrpc(stream as http2.ServerHttp2Stream), 1));
    });
    t.after(() => server.close());
    const upstream = openUpstream(t, `http://127.0.0.1:${await listenOnLoopback(server)}`);
    const calls = Array.from({ length: 400 }, () => send(upstream));
    for (const call of calls) assert.equal((await call.ended).grpcStatus, 0);
    assert.ok(most <= 20 && most > 10, `${most} at a time on two connections`);
  });

  it('is overloaded for a call that waits in vain, or would have to wait behind too many', async (t) => {
    const server = await startFrameServer(t, { opening: takesAtATime(1), onFrame: () => {} });
    const upstream = openUpstream(t, server.url, { connections: 1, placeTimeoutMs: 100, maxWaiting: 2 });
    const first = send(upstream);
    await until('it is there', () => server.of(FRAME.DATA).length === 1);
    const [second, third] = [send(upstream), send(upstream)];
    assert.equal(send(upstream).reason, 'upstream_overloaded');
    assert.equal((await second.ended).reason, 'upstream_overloaded');
    assert.equal((await third.ended).reason, 'upstream_overloaded');
    server.connections[0]?.send(grpcAnswer(1));
    assert.equal((await first.ended).grpcStatus, 0);
    assert.equal(server.of(FRAME.HEADERS).length, 1);
  });

  it('never hears of a call that was given up while it waited', async (t) => {
    const server = await startFrameServer(t, { opening: takesAtATime(1), onFrame: () => {} });
    const upstream = openUpstream(t, server.url, { connections: 1 });
    const first = send(upstream);
    await until('it is there', () => server.of(FRAME.DATA).length === 1);
    const [second, third] = [send(upstream, Buffer.from('second')), send(upstream, Buffer.from('third'))];
    second.call?.cancel();
    server.connections[0]?.send(grpcAnswer(1));
    await first.ended;
    await until('another one is there', () => server.of(FRAME.DATA).length === 2);
    assert.equal(server.of(FRAME.DATA)[1]?.payload.toString(), 'third');
    server.connections[0]?.send(grpcAnswer(3));
    assert.deepEqual([(await third.ended).grpcStatus, second.told], [0, []]);
  });

  it('may change its mind', async (t) => {
    const server = await startFrameServer(t, { opening: takesAtATime(0), onFrame: answerAtEnd });
    const upstream = openUpstream(t, server.url);
    const call = send(upstream);
    await until('it is connected', () => server.of(FRAME.WINDOW_UPDATE).length > 0);
    assert.equal(server.of(FRAME.HEADERS).length, 0);
    server.connections[0]?.send(takesAtATime(1));
    assert.equal((await call.ended).grpcStatus, 0);
  });
});

describe('connections', () => {
  it('are opened when they are needed: a second one when the first has many streams, and no more than allowed', async (t) => {
    const server = await startFrameServer(t, { onFrame: () => {} });
    const upstream = openUpstream(t, server.url);
    const calls = [send(upstream)];
    await until('it is there', () => server.of(FRAME.DATA).length === 1);
    for (let i = 0; i < 99; i++) calls.push(send(upstream));
    await until('they are there', () => server.of(FRAME.DATA).length === 100);
    assert.equal(server.connections.length, 1);
    for (let i = 0; i < 200; i++) calls.push(send(upstream));
    await until('they are there', () => server.of(FRAME.DATA).length === 300);
    await until('there are two', () => server.connections.length === 2);
    for (let i = 0; i < 100; i++) calls.push(send(upstream));
    await until('they are there', () => server.of(FRAME.DATA).length === 400);
    assert.deepEqual([server.connections.length, server.connections[1]?.of(FRAME.DATA).length], [2, 100]);
    for (const { call } of calls) call?.cancel();
  });

  it('end with their last call when no more are to come', async (t) => {
    const server = await startFrameServer(t, { onFrame: () => {} });
    const upstream = openUpstream(t, server.url);
    const call = send(upstream);
    await until('it is there', () => server.of(FRAME.DATA).length === 1);
    upstream.close();
    assert.equal(send(upstream).reason, 'upstream_unavailable');
    server.connections[0]?.send(grpcAnswer(1));
    assert.equal((await call.ended).grpcStatus, 0);
    await until('it is closed', () => server.connections[0]?.socket.readableEnded === true);
  });

  it('with HTTP/2 errors are told so and given up; the next call gets another one', async (t) => {
    const server = await startFrameServer(t, {
      onFrame: (one, connection, index) => {
        if (index > 0) answerAtEnd(one, connection);
        else if (endsStream(one)) connection.send(frame(FRAME.DATA, 0, 0, Buffer.alloc(1)));
      },
    });
    const upstream = openUpstream(t, server.url);
    const call = await send(upstream).ended;
    assert.equal(call.reason, 'upstream_unavailable');
    await until('it was told', () => server.of(FRAME.GOAWAY).length === 1);
    assert.equal(server.of(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4), 1);
    assert.equal((await send(upstream).ended).grpcStatus, 0);
  });
});

describe('a collector with several addresses', () => {
  /** Servers on one port of several addresses of the loopback net. */
  async function startAt(t: TestContext, addresses: readonly string[]) {
    const counts = new Map<string, number>();
    const servers = new Map<string, http2.Http2Server>();
    const sockets = new Map<string, Set<Socket>>();
    let port = 0;
    for (const address of addresses) {
      const server = http2.createServer();
      const open = new Set<Socket>();
      server.on('connection', (socket) => void open.add(socket.once('close', () => open.delete(socket))));
      server.on('session', (session) => session.on('error', () => {}));
      server.on('stream', (stream) => {
        counts.set(address, (counts.get(address) ?? 0) + 1);
        stream.on('error', () => {});
        stream.resume().once('end', () => answerGrpc(stream as http2.ServerHttp2Stream));
      });
      await new Promise<void>((resolve) => server.listen(port, address, resolve));
      port = (server.address() as AddressInfo).port;
      servers.set(address, server);
      sockets.set(address, open);
    }
    const stop = (address: string): void => {
      servers.get(address)?.close();
      for (const socket of sockets.get(address) ?? []) socket.destroy();
    };
    t.after(() => addresses.forEach(stop));
    return { port, counts, stop };
  }

  it('gets calls at each of them, and goes on when one of them is gone', async (t) => {
    const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    const { port, counts, stop } = await startAt(t, addresses);
    const resolve = () => Promise.resolve(addresses);
    const upstream = openUpstream(t, `http://collector.test:${port}`, { resolve });
    for (let i = 0; i < 30; i++) assert.equal((await send(upstream).ended).grpcStatus, 0);
    await until('all are connected', async () => {
      await send(upstream).ended;
      return counts.size === 3;
    });
    stop('127.0.0.2');
    await delay(50);
    for (let i = 0; i < 30; i++) assert.equal((await send(upstream).ended).grpcStatus, 0);
  });
});

describe('an address that the collector has no more', () => {
  it('gets no new calls, and finishes those under way; those that wait go to the new one', async (t) => {
    const [old, other] = [await startFrameServer(t, { onFrame: () => {} }), await startFrameServer(t)];
    const endpoints = new ChangingEndpoints();
    endpoints.add(old.url);
    const upstream = openUpstream(t, old.url, { endpoints });
    const call = send(upstream);
    await until('it is there', () => old.of(FRAME.DATA).length === 1);
    endpoints.add(other.url);
    endpoints.remove(old.url);
    for (let i = 0; i < 5; i++) assert.equal((await send(upstream).ended).grpcStatus, 0);
    old.connections[0]?.send(grpcAnswer(1));
    assert.equal((await call.ended).grpcStatus, 0);
    await until('it is left', () => old.connections.every(({ socket }) => socket.readableEnded));
    assert.equal(old.of(FRAME.HEADERS).length, 1);
  });

  it('and whose connection was being opened keeps nobody waiting', async (t) => {
    const [silent, other] = [await startBrokenServer(t, () => {}), await startFrameServer(t)];
    const endpoints = new ChangingEndpoints();
    endpoints.add(silent.url);
    const upstream = openUpstream(t, silent.url, { endpoints });
    const call = send(upstream);
    await until('it is being connected', () => silent.taken() === 1);
    endpoints.add(other.url);
    endpoints.remove(silent.url);
    assert.equal((await call.ended).grpcStatus, 0);
  });
});

describe('how an address fares is told', () => {
  const cases = [
    ['an answer', answerAtEnd, ['succeeded']],
    [
      '503 of something in front of the collector',
      (one: Frame, { send: say }: ServedConnection) =>
        void (endsStream(one) && say(headers(one.streamId, [[':status', '503']], true))),
      ['unavailable'],
    ],
    [
      'a connection that breaks with calls on it, however many',
      (one: Frame, { socket }: ServedConnection) => void (one.streamId === 5 && endsStream(one) && socket.destroy()),
      ['lost'],
    ],
  ] as const;
  for (const [what, onFrame, told] of cases) {
    it(`after ${what}: ${told.join()}`, async (t) => {
      const server = await startFrameServer(t, { onFrame });
      const endpoints = new ChangingEndpoints();
      const heard = endpoints.add(server.url);
      const upstream = openUpstream(t, server.url, { endpoints });
      const calls = [send(upstream), send(upstream), send(upstream)];
      for (const call of calls) await call.ended;
      assert.deepEqual([...new Set(heard)], told);
      if (told[0] === 'lost') assert.equal(heard.length, 1);
    });
  }

  it('when it has all of a request and uses up the gateway’s patience, but not when its sender’s', async (t) => {
    const server = await startFrameServer(t, { onFrame: () => {} });
    const endpoints = new ChangingEndpoints();
    const heard = endpoints.add(server.url);
    const upstream = openUpstream(t, server.url, { endpoints });
    const calls = [send(upstream), send(upstream), openCall(upstream)];
    await until('they are there', () => server.of(FRAME.HEADERS).length === 3);
    for (const [index, { call }] of calls.entries()) call?.cancel(index !== 1);
    assert.deepEqual(heard, ['lost']);
  });
});

describe('over TLS', () => {
  it('a certificate that cannot be used is a fault at the start', async (t) => {
    const { cert } = await createCertificate(t);
    const { key } = await createCertificate(t);
    const tls = { ca: undefined, cert: Buffer.from(cert), key: Buffer.from(key) };
    assert.throws(() => openUpstream(t, 'https://127.0.0.1:4317', { tls }), /key values mismatch/);
  });

  it('a collector is spoken to whose certificate is for its name', async (t) => {
    const certificate = await createCertificate(t);
    const server = await startFrameServer(t, { certificate });
    for (const host of ['localhost', '127.0.0.1']) {
      const upstream = openUpstream(t, server.url.replace('127.0.0.1', host), {
        tls: { ca: Buffer.from(certificate.cert), cert: undefined, key: undefined },
        resolve: () => Promise.resolve(['127.0.0.1']),
      });
      assert.equal((await send(upstream).ended).grpcStatus, 0);
    }
  });

  it('one whose certificate is for another name gets nothing', async (t) => {
    const certificate = await createCertificate(t);
    const server = await startFrameServer(t, { certificate });
    const upstream = openUpstream(t, server.url.replace('127.0.0.1', 'collector.test'), {
      tls: { ca: Buffer.from(certificate.cert), cert: undefined, key: undefined },
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    assert.equal((await send(upstream).ended).reason, 'upstream_unavailable');
    assert.equal(server.of(FRAME.HEADERS).length, 0);
  });

  it('one whose certificate nobody has signed gets nothing', async (t) => {
    const server = await startFrameServer(t, { certificate: await createCertificate(t) });
    const heard: string[] = [];
    const connectionFailed = (_endpoint: unknown, why: string): void => void heard.push(why);
    const upstream = openUpstream(t, server.url, { connectionFailed });
    assert.equal((await send(upstream).ended).reason, 'upstream_unavailable');
    assert.equal(server.of(FRAME.HEADERS).length, 0);
    assert.match(heard.join(), /^self-signed certificate/);
  });

  it('one that does not offer HTTP/2 gets nothing', async (t) => {
    const certificate = await createCertificate(t);
    const server = await startFrameServer(t, { certificate, protocols: ['http/1.1'] });
    const withoutAlpn = await startFrameServer(t, { certificate, protocols: [] });
    for (const { url } of [server, withoutAlpn]) {
      const tls = { ca: Buffer.from(certificate.cert), cert: undefined, key: undefined };
      assert.equal((await send(openUpstream(t, url, { tls })).ended).reason, 'upstream_unavailable');
    }
    assert.deepEqual(
      [...server.connections, ...withoutAlpn.connections].flatMap(({ received }) => received),
      [],
    );
  });

  it('a collector that asks for a certificate gets the one that was configured', async (t) => {
    const certificate = await createCertificate(t);
    const { cert, key } = certificate;
    const server = await startFrameServer(t, { certificate, wantsClientCertificate: true });
    const ca = Buffer.from(cert);
    const refused = openUpstream(t, server.url, { tls: { ca, cert: undefined, key: undefined } });
    assert.equal((await send(refused).ended).reason, 'upstream_unavailable');
    const upstream = openUpstream(t, server.url, { tls: { ca, cert: Buffer.from(cert), key: Buffer.from(key) } });
    assert.equal((await send(upstream, MESSAGE).ended).grpcStatus, 0);
  });
});
