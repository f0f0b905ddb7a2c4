import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import { answerGrpc, answerHttp, listenOnLoopback, startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { callGrpc, connectGrpc, frame } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent, openHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import type { Scope } from '../support/scope.ts';
import { until } from '../support/wait.ts';

const CHANGED = 'the configuration has changed';
const SENDERS = 6;
const REQUESTS_OF_SENDER = 50;
const HEADERS = (keygate: KeygateProcess) => ({ 'x-api-key': keygate.key });

const configFor = (plane: string, { grpcUrl: grpc, httpUrl: http }: Collector) => ({ plane, upstream: { grpc, http } });

/** What arrived, by what its sender wrote into it. */
const namesAt = ({ arrivals }: Collector): string[] =>
  arrivals.map(({ protocol, body }) => (protocol === 'grpc' ? body.subarray(5) : body).toString());

const hostsAt = ({ arrivals }: Collector, protocol: string): Set<string | undefined> =>
  new Set(
    arrivals
      .filter((arrival) => arrival.protocol === protocol)
      .map(({ headers }) => headers['host']?.[0] ?? headers[':authority']?.[0]),
  );

/** Has the gateway go over to another collector; resolves when it has. */
async function goOver(keygate: KeygateProcess, plane: string, to: Collector): Promise<void> {
  const before = keygate.logged(CHANGED).length;
  await keygate.configure(configFor(plane, to));
  keygate.signal('SIGHUP');
  await until('the gateway has gone over', () => keygate.logged(CHANGED).length > before);
}

/** Sends one request after the other on one connection, which has to last; tells how each ended, 0 for well. */
async function sendAll(t: Scope, keygate: KeygateProcess, sender: number, sent: () => void): Promise<number[]> {
  const headers = HEADERS(keygate);
  const session = sender % 2 === 0 ? await connectGrpc(t, keygate.addresses.grpc) : undefined;
  const agent = keepAliveAgent(t, { maxSockets: 1 });
  const ends: number[] = [];
  const ports = new Set<number | undefined>();
  for (let i = 0; i < REQUESTS_OF_SENDER; i++) {
    const body = Buffer.from(`${sender}.${i}`);
    if (session !== undefined) ends.push((await callGrpc(session, { headers, body: frame(body) })).code);
    else {
      const { request, answer } = openHttp(`http://${keygate.addresses.http}`, { headers, agent, body });
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => ports.add(socket.localPort));
      });
      request.end(body);
      ends.push((await answer).status - 200);
    }
    sent();
  }
  assert.ok(ports.size <= 1, 'the connection lasted');
  return ends;
}

it('calls that wait for a place at the old collector get it there', async (t) => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const server = http2.createServer({ settings: { maxConcurrentStreams: 1 } });
  server.on('stream', (stream) => void waiting.push(stream as http2.ServerHttp2Stream));
  const grpc = `http://127.0.0.1:${await listenOnLoopback(server)}`;
  t.after(() => void server.close());
  const second = await startCollector(t);
  const keygate = await startKeygateProcess(t, { plane: 'wire', upstream: { grpc } });
  const session = await connectGrpc(t, keygate.addresses.grpc);
  const calls = Array.from({ length: 6 }, () => callGrpc(session, { headers: HEADERS(keygate) }));
  await until('the first ones are there', () => waiting.length > 0);
  await keygate.configure({ plane: 'wire', upstream: { grpc: second.grpcUrl } });
  keygate.signal('SIGHUP');
  await until('the gateway has gone over', () => keygate.logged(CHANGED).length > 0);
  const answering = setInterval(() => {
    for (const stream of waiting.splice(0)) answerGrpc(stream);
  }, 10);
  t.after(() => clearInterval(answering));
  assert.deepEqual(
    (await Promise.all(calls)).map(({ code }) => code),
    [0, 0, 0, 0, 0, 0],
  );
  assert.equal(second.arrivals.length, 0);
});

for (const plane of ['wire', 'library'] as const) {
  describe(`plane: ${plane}`, () => {
    it('when the collector changes under load, each request arrives once, at one of the two, and every connection goes on', async (t) => {
      const [first, second] = [await startCollector(t), await startCollector(t)];
      const keygate = await startKeygateProcess(t, configFor(plane, first));
      let sent = 0;
      const sending = Array.from({ length: SENDERS }, (_, sender) => sendAll(t, keygate, sender, () => (sent += 1)));
      await until('a quarter is sent', () => sent > (SENDERS * REQUESTS_OF_SENDER) / 4);
      await goOver(keygate, plane, second);
      assert.deepEqual(new Set((await Promise.all(sending)).flat()), new Set([0]));

      const names = [...namesAt(first), ...namesAt(second)];
      assert.equal(names.length, SENDERS * REQUESTS_OF_SENDER);
      assert.equal(new Set(names).size, names.length);
      assert.ok(first.arrivals.length > 0 && second.arrivals.length > 0, 'each collector has got some');
      // What was remembered of heads is not what the other one is called.
      for (const [collector, grpc, http] of [
        [first, first.grpcUrl, first.httpUrl],
        [second, second.grpcUrl, second.httpUrl],
      ] as const) {
        assert.deepEqual(hostsAt(collector, 'grpc'), new Set([new URL(grpc).host]));
        assert.deepEqual(hostsAt(collector, 'http'), new Set([new URL(http).host]));
      }
      await until('the first one is left', () => first.connections() === 0);
    });

    it('requests under way are finished where they are; the next one on the same connection goes to the new collector', async (t) => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const first = await startCollector(t, {
        onGrpc: (stream) => void released.then(() => answerGrpc(stream)),
        onHttp: (response, arrival) => void released.then(() => answerHttp(response, arrival)),
      });
      const second = await startCollector(t);
      const keygate = await startKeygateProcess(t, configFor(plane, first));
      const headers = HEADERS(keygate);
      const session = await connectGrpc(t, keygate.addresses.grpc);
      const underWay = [
        callGrpc(session, { headers }).then(({ code }) => code),
        callHttp(`http://${keygate.addresses.http}`, { headers }).then(({ status }) => status),
      ];
      await until('both are under way', () => first.arrivals.length === 2);
      await goOver(keygate, plane, second);
      assert.equal((await callGrpc(session, { headers })).code, 0);
      assert.equal((await callHttp(`http://${keygate.addresses.http}`, { headers })).status, 200);
      assert.deepEqual([first.arrivals.length, second.arrivals.length], [2, 2]);
      release();
      assert.deepEqual(await Promise.all(underWay), [0, 200]);
      await until('the first one is left', () => first.connections() === 0);
    });

    it('a reload that says the same of the collector keeps the connections to it', async (t) => {
      const collector = await startCollector(t);
      const keygate = await startKeygateProcess(t, configFor(plane, collector));
      const headers = HEADERS(keygate);
      const session = await connectGrpc(t, keygate.addresses.grpc);
      assert.equal((await callGrpc(session, { headers })).code, 0);
      await keygate.configure({ ...configFor(plane, collector), limits: { maxBody: '1MiB' } });
      keygate.signal('SIGHUP');
      await until('it holds', () => keygate.logged(CHANGED).length > 0);
      assert.equal((await callGrpc(session, { headers })).code, 0);
      assert.deepEqual([collector.connected(), collector.connections()], [1, 1]);
    });
  });
}
