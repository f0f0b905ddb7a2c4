import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, it, test } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import type { UpstreamCall, UpstreamPool } from '../../src/plane/wire/upstream-call.ts';
import { createEndpoints } from '../../src/upstream/endpoints.ts';
import { NOBODYS_PORT } from '../support/ports.ts';
import { onwardRequest, RecordingCaller } from '../support/caller.ts';
import { EMPTY, OK, over, RawCollector, send, startHttp1Upstream, startPool } from '../support/http1-upstream.ts';
import { createCertificate } from '../support/tls.ts';
import { listen } from '../support/transports.ts';
import { stillness, until } from '../support/wait.ts';

describe('connections to the collector', () => {
  it('are used again, the last one first, and no more are opened than are needed', async (t) => {
    const { collector, upstream, send } = await startPool(t);
    for (let i = 0; i < 5; i++) await over(send());
    assert.equal(collector.sockets.length, 1);
    await Promise.all(Array.from({ length: 5 }, () => over(send())));
    assert.deepEqual([collector.sockets.length, upstream.connectionCount], [5, 5]);
    await Promise.all([over(send()), over(send())]);
    assert.equal(collector.sockets.length, 5);
  });

  it('that the collector closes while they are idle are not used again', async (t) => {
    const { collector, upstream, send } = await startPool(t);
    for (const end of [(socket?: net.Socket) => socket?.end(), (socket?: net.Socket) => socket?.resetAndDestroy()]) {
      await over(send());
      end(collector.sockets.at(-1));
      await until('it is gone', () => upstream.connectionCount === 0);
      const next = send();
      await over(next);
      assert.equal(next.caller.ending, 'answered');
    }
  });

  it('on which something comes that nobody asked for are not used again', async (t) => {
    const { collector, upstream, send } = await startPool(t);
    await over(send());
    collector.sockets[0]?.write(OK);
    await until('it is gone', () => upstream.connectionCount === 0);
    const behind = await startPool(t, (socket) => void socket.write(OK + OK));
    const first = behind.send();
    await over(first);
    assert.equal(first.caller.ending, 'answered');
    await until('it is gone', () => behind.upstream.connectionCount === 0);
  });

  it('are kept for 4 s, or for a second less than the collector says', async (t) => {
    for (const [field, ms] of [
      ['', 4_000],
      ['keep-alive: timeout=8\r\n', 7_000],
      ['keep-alive: timeout=1\r\n', 0],
      ['connection: close\r\n', 0],
    ] as const) {
      const { upstream, send } = await startPool(t, (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${field}content-length: 0\r\n\r\n`);
      });
      await over(send());
      const nowMs = performance.now();
      assert.equal(upstream.connectionCount, ms === 0 ? 0 : 1, field);
      upstream.check(nowMs + ms - 500);
      assert.equal(upstream.connectionCount, ms === 0 ? 0 : 1, field);
      upstream.check(nowMs + ms + 100);
      assert.equal(upstream.connectionCount, 0, field);
    }
  });

  it('are bounded: who finds none waits, in turn, and not for ever', async (t) => {
    const answers: (() => void)[] = [];
    const onRequest = (socket: net.Socket): void => void answers.push(() => socket.write(OK));
    const { collector, upstream, send } = await startPool(t, onRequest, { maxConnections: 2 });
    const sent = Array.from({ length: 4 }, () => send());
    await until('two are there', () => answers.length === 2);
    assert.equal(collector.sockets.length, 2);
    answers[0]?.();
    await until('the third is there', () => answers.length === 3);
    assert.deepEqual([collector.sockets.length, sent[0]?.caller.ending], [2, 'answered']);
    upstream.check(performance.now() + 3_000);
    assert.deepEqual([sent[3]?.caller.ending, sent[3]?.caller.reason], ['failed', 'upstream_overloaded']);
    for (const answer of answers) answer();
    await Promise.all(sent.map(over));
  });

  it('are waited for by so many requests, and the rest are told at once', async (t) => {
    const { send } = await startPool(t, () => {}, { maxConnections: 1 });
    const waiting = Array.from({ length: 1_025 }, () => send());
    assert.throws(() => send(), /upstream_overloaded/);
    waiting[1_024]?.call.cancel();
    send();
    for (const { call } of waiting) call.cancel();
  });

  it('to an address that is none any more are not used again, and who waited for one gets another', async (t) => {
    const answers: (() => void)[] = [];
    const collector = new RawCollector(t, net.createServer(), (socket) => void answers.push(() => socket.write(OK)));
    const port = await listen(t, collector.server);
    const endpoints = createEndpoints({
      target: { host: '127.0.0.1', port, secure: false },
      resolveIntervalMs: 60_000,
      now: () => performance.now(),
      random: Math.random,
    });
    const upstream = startHttp1Upstream(t, `http://127.0.0.1:${port}`, { endpoints, maxConnections: 1 });
    const [first, second] = [send(upstream), send(upstream)];
    await until('the first is there', () => answers.length === 1);
    endpoints.close();
    answers[0]?.();
    await until('the second is there', () => answers.length === 2);
    answers[1]?.();
    await Promise.all([over(first), over(second)]);
    assert.deepEqual([second.caller.ending, collector.sockets.length], ['answered', 2]);
  });

  it('end when nothing is asked any more', async (t) => {
    const { collector, upstream, send } = await startPool(t);
    await over(send());
    upstream.close();
    await until('they are closed', () => collector.open === 0);
    assert.throws(() => send(), /upstream_unavailable/);
  });
});

describe('a request', () => {
  it('is sent with its own fields, the varying ones and one framing', async (t) => {
    const { collector, send } = await startPool(t);
    await over(send({ varying: ['traceparent', '00-1'] }, Buffer.from('hello')));
    assert.match(
      collector.received,
      /^POST \/v1\/traces HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nx-a: b\r\nx-keygate-key-id: \d+\r\nx-keygate-key-name: key \d+\r\nConnection: keep-alive\r\ntraceparent: 00-1\r\ncontent-length: 5\r\n\r\nhello$/,
    );
  });

  it('of unknown length is sent in chunks, as it comes', async (t) => {
    const { collector, upstream } = await startPool(t, (socket) => void setTimeout(() => socket.write(OK), 50));
    const caller = new RecordingCaller();
    const call = upstream.open(onwardRequest({ bodyLength: undefined }), caller) as UpstreamCall;
    call.write(Buffer.from('while it connects, '), false);
    call.write(Buffer.from('in one chunk'), false);
    await until('it is there', () => collector.received.includes('in one chunk'));
    call.write(EMPTY, false);
    call.write(Buffer.from('the end'), true);
    await until('it is over', () => caller.isOver);
    assert.match(
      collector.received,
      /\r\ntransfer-encoding: chunked\r\n\r\n1f\r\nwhile it connects, in one chunk\r\n7\r\nthe end\r\n0\r\n\r\n$/,
    );
    assert.equal(caller.takenBytes, 38);
  });

  it('is never longer or shorter than it said: the collector sees it cut', async (t) => {
    for (const body of ['toolong', 'sho']) {
      const { collector, upstream } = await startPool(t, () => {});
      const caller = new RecordingCaller();
      const call = upstream.open(onwardRequest({ bodyLength: 5 }), caller) as UpstreamCall;
      call.write(EMPTY, false);
      await until('its head is there', () => collector.received.includes('\r\n\r\n'));
      call.write(Buffer.from(body), true);
      assert.deepEqual([caller.ending, caller.reason], ['failed', 'upstream_unavailable']);
      await until('it is cut', () => collector.open === 0);
      assert.ok(!collector.received.includes('toolo'));
    }
  });

  it('that cannot be sent to one address goes to another, with what has come of its body, and to no third', async (t) => {
    const collector = new RawCollector(t, net.createServer(), (socket) => void socket.write(OK));
    collector.server.listen(0, '127.0.0.3');
    await once(collector.server, 'listening');
    t.after(() => collector.server.close());
    const { port } = collector.server.address() as net.AddressInfo;
    const target = { host: 'collector.test', port, secure: false };
    const toAddresses = (addresses: readonly string[]): UpstreamPool =>
      startHttp1Upstream(t, `http://collector.test:${port}`, {
        endpoints: createEndpoints({
          target,
          resolve: async () => addresses,
          resolveIntervalMs: 60_000,
          now: () => performance.now(),
          random: () => 0.999,
        }),
      });
    const upstream = toAddresses(['127.0.0.2', '127.0.0.3']);
    await until('the name is found', () => typeof upstream.open(onwardRequest(), new RecordingCaller()) !== 'string');
    const calls = Array.from({ length: 4 }, () => send(upstream, {}, Buffer.from('hello')));
    await Promise.all(calls.map(over));
    assert.deepEqual(
      calls.map(({ caller }) => caller.ending),
      ['answered', 'answered', 'answered', 'answered'],
    );
    assert.equal(collector.received.match(/\r\n\r\nhello/g)?.length, 4);
    const nowhere = startHttp1Upstream(t, `http://127.0.0.1:${NOBODYS_PORT}`);
    const lost = send(nowhere);
    await over(lost);
    assert.equal(lost.caller.reason, 'upstream_unavailable');
  });

  it('that was sent is never sent again', async (t) => {
    const { collector, send } = await startPool(t, (socket) => socket.destroy());
    const first = send();
    await over(first);
    assert.deepEqual([first.caller.ending, first.caller.reason], ['failed', 'upstream_unavailable']);
    await until(
      'nothing more comes',
      stillness(() => collector.received.length, 100),
    );
    assert.equal(collector.received.match(/POST/g)?.length, 1);
  });

  it('that is given up takes its connection with it', async (t) => {
    const { collector, upstream, send } = await startPool(t, () => {});
    const { call } = send();
    await until('it is there', () => collector.received.includes('\r\n\r\n'));
    call.cancel();
    await until('its connection is gone', () => collector.open === 0);
    assert.equal(upstream.connectionCount, 0);
    const early = send();
    early.call.cancel();
    await until('nothing is left', () => upstream.connectionCount === 0);
    assert.equal(early.caller.ending, 'nothing yet');
  });

  it('is not taken faster than the collector reads', async (t) => {
    const { collector, upstream } = await startPool(t, (socket) => socket.pause());
    const caller = new RecordingCaller();
    const call = upstream.open(onwardRequest({ bodyLength: 64 << 20 }), caller) as UpstreamCall;
    for (let i = 0; i < 1_024; i++) call.write(Buffer.alloc(64 << 10), i === 1_023);
    await until(
      'nothing moves',
      stillness(() => caller.takenBytes, 100),
    );
    assert.ok(caller.takenBytes < 32 << 20, `${caller.takenBytes} bytes`);
    collector.sockets[0]?.resume();
    await until('all is taken', () => caller.takenBytes === 64 << 20, 20_000);
  });
});

describe('while nobody knows where the collector is', () => {
  const nameless = (t: TestContext, port: number, resolve: () => Promise<readonly string[]>) =>
    startHttp1Upstream(t, `http://collector.test:${port}`, {
      connectTimeoutMs: 300,
      endpoints: createEndpoints({
        target: { host: 'collector.test', port, secure: false },
        resolve,
        resolveIntervalMs: 60_000,
        now: () => performance.now(),
        random: Math.random,
      }),
    });

  it('requests wait for its name to be found', async (t) => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const collector = new RawCollector(t, net.createServer(), (socket) => void socket.write(OK));
    const upstream = nameless(t, await listen(t, collector.server), () => promise);
    const sent = [send(upstream), send(upstream)];
    resolve(['127.0.0.1']);
    await Promise.all(sent.map(over));
    assert.deepEqual(
      sent.map(({ caller }) => caller.ending),
      ['answered', 'answered'],
    );
  });

  it('and are then told that it is not there', async (t) => {
    const sent = send(nameless(t, 1, () => new Promise(() => {})));
    await over(sent);
    assert.equal(sent.caller.reason, 'upstream_unavailable');
  });
});

test('what is wrong with a collector is said once for each cause, and again after it was well', async (t) => {
  let breaks = true;
  const causes: string[] = [];
  const { collector, send } = await startPool(t, (socket) => (breaks ? socket.end() : socket.write(OK)), {
    connectionFailed: ({ address }, why) => void causes.push(`${address}: ${why}`),
  });
  for (const isBroken of [true, true, false, true, true]) {
    breaks = isBroken;
    await over(send());
  }
  collector.server.close();
  const refused = send();
  await over(refused);
  assert.deepEqual(causes.slice(0, 2), ['127.0.0.1: it was closed', '127.0.0.1: it was closed']);
  assert.match(causes[2] ?? '', /^127\.0\.0\.1: .*ECONNREFUSED/);
  assert.equal(causes.length, 3);
});

test('an address that leaves requests without an answer is ejected', async (t) => {
  const collector = new RawCollector(t);
  const port = await listen(t, collector.server);
  let ejected = 0;
  const observe = { addresses() {}, ejected: () => void (ejected += 1), resolved() {} };
  const target = { host: '127.0.0.1', port, secure: false };
  const endpoints = createEndpoints({ target, resolveIntervalMs: 60_000, now: () => 0, random: Math.random, observe });
  const upstream = startHttp1Upstream(t, `http://127.0.0.1:${port}`, { endpoints });
  for (const isOverdue of [false, false, false, false, true, true, true]) {
    assert.equal(ejected, 0);
    const sockets = collector.sockets.length;
    const { call } = send(upstream);
    await until('it is there', () => collector.sockets.length > sockets);
    await until('it is written', () => collector.received.split('POST').length - 1 > sockets);
    call.cancel(isOverdue);
  }
  assert.equal(ejected, 1);
});

test('a collector with TLS is spoken to over TLS, by its name, with our certificate', async (t) => {
  const { cert, key } = await createCertificate(t);
  const server = tls.createServer({ cert, key, ca: cert, requestCert: true, rejectUnauthorized: true });
  const collector = new RawCollector(t, server, (socket) => void socket.write(OK));
  const port = await listen(t, server);
  const ca = Buffer.from(cert);
  const none = undefined;
  for (const [host, given, ending] of [
    ['localhost', { ca, cert: ca, key: Buffer.from(key) }, 'answered'],
    ['127.0.0.1', { ca, cert: ca, key: Buffer.from(key) }, 'answered'],
    ['127.0.0.1', { ca, cert: none, key: none }, 'failed'],
    ['127.0.0.1', { ca: none, cert: ca, key: Buffer.from(key) }, 'failed'],
  ] as const) {
    const upstream = startHttp1Upstream(t, `https://${host}:${port}`, { tls: given });
    await until('the name is found', () => typeof upstream.open(onwardRequest(), new RecordingCaller()) !== 'string');
    const sent = send(upstream, {}, Buffer.from('hello'));
    await over(sent);
    assert.equal(sent.caller.ending, ending);
  }
  assert.ok(collector.received.includes('hello'));
});
