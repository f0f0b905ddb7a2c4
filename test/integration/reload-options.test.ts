import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as https from 'node:https';
import * as net from 'node:net';
import { it, test } from 'node:test';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { describeSchema, optionsBelow } from '../../src/config/describe.ts';
import { configSchema } from '../../src/config/schema.ts';
import { askHttp, forwarded } from '../support/authz-client.ts';
import { answerHttp, listenOnLoopback, startCollector } from '../support/collector.ts';
import type { Collector, CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp, connectRaw, keepAliveAgent, openHttp } from '../support/http-client.ts';
import type { HttpCall } from '../support/http-client.ts';
import { cidrs } from '../support/stores.ts';
import { createCertificate } from '../support/tls.ts';
import { PREFACE } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';

type Input = Parameters<typeof startGateway>[1];

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly key: string;
  /** The status of a request over HTTP. */
  send(call?: HttpCall): Promise<number>;
  /** Changes the configuration so; fails unless all of it holds at once. */
  change(config: Input): Promise<void>;
}

async function setUp(t: TestContext, config: Input = {}, options: CollectorOptions = {}): Promise<Setup> {
  const collector = await startCollector(t, options);
  const complete = (more: Input): Input => ({
    ...config,
    ...more,
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl, ...config.upstream, ...more.upstream },
  });
  const gateway = await startGateway(t, complete({}));
  const { text: key } = await gateway.createKey();
  return {
    gateway,
    collector,
    key,
    send: async (call = {}) => (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key }, ...call })).status,
    async change(more) {
      const reloaded = await gateway.reload(complete(more));
      assert.equal(reloaded.result, 'applied', JSON.stringify(reloaded));
    },
  };
}

/** So often a head is sent that its connection remembers how it went on, with the name of the collector. */
const TIMES_REMEMBERED = 5;

/** Of what only one plane has. */
const isWire = (process.env['KEYGATE_PLANE'] || 'wire') === 'wire';

type Port = 'grpc' | 'http' | 'authz_grpc' | 'authz_http';

/** Of these ports, which `configOf` sets. */
async function certificateOf(
  t: TestContext,
  ports: readonly Port[],
  configOf: (tls: { cert: string; key: string; clientCa: string }) => Input,
): Promise<void> {
  const [first, second] = [await createCertificate(t), await createCertificate(t)];
  /** Whether the gateway shows the certificate of this authority, and goes on with whoever shows that one. */
  const isServed = (port: number, { cert: ca }: typeof first, shown?: typeof first): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = tls.connect({
        port,
        ca,
        ALPNProtocols: ['h2'],
        ...(shown && { cert: shown.cert, key: shown.key }),
      });
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      socket.once('close', () => resolve(false));
      socket.once('data', () => resolve(true)); // its SETTINGS
      socket.write(PREFACE);
    });
  const set = (server: typeof first, client: typeof first) =>
    configOf({ cert: server.certPath, key: server.keyPath, clientCa: client.certPath });
  const { gateway, change } = await setUp(t, set(first, first));
  const numbers = ports.map((port) => gateway.addresses[port]?.port ?? 0);
  for (const port of numbers) assert.equal(await isServed(port, first, first), true);
  await change(set(second, second));
  for (const port of numbers) {
    // A client certificate of the first authority is of nobody now; one of the second is trusted.
    assert.deepEqual(
      [await isServed(port, first, second), await isServed(port, second, first), await isServed(port, second, second)],
      [false, false, true],
    );
  }
}

const certificatesOfDataPorts = (t: TestContext): Promise<void> =>
  certificateOf(t, ['grpc', 'http'], (tls) => ({ listen: { grpc: { tls }, http: { tls } } }));

const certificatesOfAuthz = (t: TestContext): Promise<void> =>
  certificateOf(t, ['authz_grpc', 'authz_http'], (tls) => {
    const port = { address: '127.0.0.1:0', tls };
    return { authz: { grpc: port, http: port } };
  });

/** A collector with TLS, and the certificate that it shows. */
async function secureCollector(t: TestContext, clientCa?: string) {
  const certificate = await createCertificate(t);
  const server = https.createServer(
    { cert: certificate.cert, key: certificate.key, ...(clientCa && { ca: clientCa, requestCert: true }) },
    (request, response) => {
      request.resume();
      request.on('end', () => response.end());
    },
  );
  const port = await listenOnLoopback(server);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${port}`, certificate };
}

async function authoritiesOfCollector(t: TestContext): Promise<void> {
  const { url, certificate } = await secureCollector(t);
  const { send, change } = await setUp(t, { upstream: { http: url } });
  assert.equal(await send(), 503);
  await change({ upstream: { tls: { ca: certificate.certPath } } });
  assert.equal(await send(), 200);
}

async function certificateForCollector(t: TestContext): Promise<void> {
  const client = await createCertificate(t);
  const { url, certificate } = await secureCollector(t, client.cert);
  const ca = certificate.certPath;
  const { send, change } = await setUp(t, { upstream: { http: url, tls: { ca } } });
  assert.equal(await send(), 503);
  await change({ upstream: { tls: { ca, cert: client.certPath, key: client.keyPath } } });
  assert.equal(await send(), 200);
}

/** The same collector is reached by new connections, which the new value made. */
const madeAnew = (upstream: Input['upstream']) => async (t: TestContext) => {
  if (!isWire) return t.skip('with plane: wire');
  const { gateway, collector, key, send, change } = await setUp(t);
  const session = await connectGrpc(t, gateway.grpcAddress);
  const grpc = async (): Promise<number> => (await callGrpc(session, { headers: { 'x-api-key': key } })).code;
  assert.deepEqual([await grpc(), await send(), collector.connected()], [0, 200, 2]);
  await change({ upstream: { ...upstream } });
  assert.deepEqual([await grpc(), await send(), collector.connected()], [0, 200, 4]);
  await until('the old ones are closed', () => collector.connections() === 2);
};

type Section = 'rum' | 'remoteConfig' | 'agent' | 'logs' | 'singles' | 'remoteWrite';

const otherTarget = (section: Section, call: HttpCall) => async (t: TestContext) => {
  const [first, second] = [await startCollector(t), await startCollector(t)];
  const { gateway, send, change } = await setUp(t, { routes: { [section]: { target: first.httpUrl } } });
  const type = section === 'rum' ? 'rum' : 'sensor';
  const { text: key } = await gateway.createKey({ type });
  const headers = { 'x-api-key': key };
  assert.equal(await send({ ...call, headers }), 200);
  await change({ routes: { [section]: { target: second.httpUrl } } });
  assert.equal(await send({ ...call, headers }), 200);
  assert.deepEqual([first.arrivals.length, second.arrivals.length], [1, 1]);
};

async function pagesOfOthers(t: TestContext): Promise<void> {
  const origin = 'https://shop.example';
  const { gateway, key, change } = await setUp(t);
  const agent = keepAliveAgent(t, { maxSockets: 1 });
  const ask = async (): Promise<unknown[]> => {
    const permission = await callHttp(gateway.httpUrl, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
      body: '',
      agent,
    });
    const answer = await callHttp(gateway.httpUrl, { headers: { origin, 'x-api-key': key }, agent });
    const { 'access-control-max-age': maxAge, 'access-control-allow-origin': first } = permission.headers;
    return [permission.status, maxAge, first, answer.headers['access-control-allow-origin']];
  };
  assert.deepEqual(await ask(), [405, undefined, undefined, undefined]);
  await change({ cors: { origins: [origin], maxAge: '10m' } });
  assert.deepEqual(await ask(), [204, '600', origin, origin]);
  await change({ cors: { origins: [origin], maxAge: '5m' } });
  assert.deepEqual(await ask(), [204, '300', origin, origin]);
  await change({});
  assert.deepEqual(await ask(), [405, undefined, undefined, undefined]);
}

async function endOfAll(t: TestContext): Promise<void> {
  const held = Promise.withResolvers<void>();
  const onHttp: CollectorOptions['onHttp'] = (response, arrival) =>
    void held.promise.then(() => answerHttp(response, arrival));
  const { gateway, collector, key, change } = await setUp(t, { limits: { drainDelay: '10m' } }, { onHttp });
  const { request, answer } = openHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
  request.end('telemetry');
  await until('it is with the collector', () => collector.arrivals.length === 1);
  await change({ limits: { drainDelay: '0s', drainTimeout: '0s' } });
  await gateway.app.drain();
  assert.equal((await answer).status, 503);
  held.resolve();
}

/** How each option is seen to hold once it has changed. */
const CASES: Readonly<Record<string, (t: TestContext) => Promise<void>>> = {
  'listen.grpc.tls.cert': certificatesOfDataPorts,
  'authz.grpc.tls.cert': certificatesOfAuthz,
  'listen.grpc.tls.key': certificatesOfDataPorts,
  'authz.grpc.tls.key': certificatesOfAuthz,
  'listen.grpc.tls.clientCa': certificatesOfDataPorts,
  'authz.grpc.tls.clientCa': certificatesOfAuthz,
  'listen.http.tls.cert': certificatesOfDataPorts,
  'authz.http.tls.cert': certificatesOfAuthz,
  'listen.http.tls.key': certificatesOfDataPorts,
  'authz.http.tls.key': certificatesOfAuthz,
  'listen.http.tls.clientCa': certificatesOfDataPorts,
  'authz.http.tls.clientCa': certificatesOfAuthz,
  async 'upstream.grpc'(t) {
    const other = await startCollector(t);
    const { gateway, key, change } = await setUp(t);
    const session = await connectGrpc(t, gateway.grpcAddress);
    const call = async () => assert.equal((await callGrpc(session, { headers: { 'x-api-key': key } })).code, 0);
    for (let i = 0; i < TIMES_REMEMBERED; i++) await call();
    await change({ upstream: { grpc: other.grpcUrl } });
    await call();
    assert.deepEqual(
      other.arrivals.map(({ headers }) => headers[':authority']),
      [[new URL(other.grpcUrl).host]],
    );
  },
  async 'upstream.http'(t) {
    const other = await startCollector(t);
    const { key, send, change } = await setUp(t);
    const call = { headers: { 'x-api-key': key }, agent: keepAliveAgent(t, { maxSockets: 1 }) };
    for (let i = 0; i < TIMES_REMEMBERED; i++) assert.equal(await send(call), 200);
    await change({ upstream: { http: other.httpUrl } });
    assert.equal(await send(call), 200);
    assert.deepEqual(
      other.arrivals.map(({ headers }) => headers['host']),
      [[new URL(other.httpUrl).host]],
    );
  },
  async 'authz.proxies'(t) {
    const address = '127.0.0.1:0';
    const { gateway, change } = await setUp(t, { authz: { http: { address } } });
    const { text } = await gateway.createKey({ cidrs: cidrs('10.1.0.0/16') });
    const ask = async () => {
      const asked = { ...forwarded(undefined, '10.1.2.3, 192.0.2.1'), 'x-api-key': text };
      return (await askHttp(gateway.addresses.authz_http?.port ?? 0, asked)).status;
    };
    assert.equal(await ask(), 403);
    await change({ authz: { http: { address }, proxies: ['192.0.2.0/24'] } });
    assert.equal(await ask(), 200);
  },
  'upstream.tls.ca': authoritiesOfCollector,
  'upstream.tls.cert': certificateForCollector,
  'upstream.tls.key': certificateForCollector,
  async 'upstream.timeout'(t) {
    const { send, change } = await setUp(t, {}, { onHttp: () => {} });
    await change({ upstream: { timeout: '100ms' } });
    assert.equal(await send(), 504);
  },
  'upstream.connectTimeout': madeAnew({ connectTimeout: '1s' }),
  'upstream.connections': madeAnew({ connections: 3 }),
  'upstream.resolveInterval': madeAnew({ resolveInterval: '1s' }),
  'routes.rum.target': otherTarget('rum', { path: '/json/rum' }),
  'routes.logs.target': otherTarget('logs', { path: '/json/logs' }),
  'routes.singles.target': otherTarget('singles', { path: '/logs/v1/singles' }),
  'routes.remoteWrite.target': otherTarget('remoteWrite', { path: '/api/v1/write' }),
  'routes.agent.target': otherTarget('agent', { path: '/stsAgent/intake/' }),
  'routes.remoteConfig.target': otherTarget('remoteConfig', { path: '/remote-config', method: 'GET', body: '' }),
  async 'keys.receiverKeys'(t) {
    const receiverKeys = (name: string) => ({ receiverKeys: [{ name, key: `${name}-of-the-agents` }] });
    const { send, change } = await setUp(t, { keys: receiverKeys('first') });
    const sendWith = (name: string) => send({ headers: { 'x-api-key': `${name}-of-the-agents` } });
    assert.deepEqual([await sendWith('first'), await sendWith('second')], [200, 403]);
    await change({ keys: receiverKeys('second') });
    assert.deepEqual([await sendWith('first'), await sendWith('second')], [403, 200]);
  },
  'cors.origins': pagesOfOthers,
  'cors.maxAge': pagesOfOthers,
  async 'limits.maxBody'(t) {
    const { send, change } = await setUp(t);
    const body = Buffer.alloc(2_048);
    assert.equal(await send({ body }), 200);
    await change({ limits: { maxBody: '1KiB' } });
    assert.equal(await send({ body }), 413);
  },
  async 'limits.maxConnections'(t) {
    const { gateway, change } = await setUp(t);
    await connectRaw(t, gateway.addresses.http.port);
    await until('it is taken', async () => (await gateway.metric('keygate_connections', { port: 'http' })) === 1);
    await change({ limits: { maxConnections: 1 } });
    const second = await connectRaw(t, gateway.addresses.http.port);
    second.resume();
    await once(second, 'close');
  },
  async 'limits.maxHeld'(t) {
    if (!isWire) return t.skip('with plane: wire');
    // Takes connections and says nothing: what is sent waits for TLS.
    const silent = net.createServer((socket) => void socket.on('error', () => {}).resume());
    const port = await listenOnLoopback(silent);
    t.after(() => void silent.close());
    const { gateway, key, change } = await setUp(t, { upstream: { http: `https://127.0.0.1:${port}` } });
    await change({ upstream: { http: `https://127.0.0.1:${port}` }, limits: { maxHeld: '1MiB' } });
    const call = { headers: { 'x-api-key': key }, body: Buffer.alloc(1 << 20) };
    const answers = Array.from({ length: 32 }, () => callHttp(gateway.httpUrl, call));
    const spent = () => gateway.metric('keygate_budget_spent_total', { budget: 'held_bytes' });
    await until('some of them are too much', async () => (await spent()) > 0);
    await Promise.allSettled(answers);
  },
  'limits.drainDelay': endOfAll,
  'limits.drainTimeout': endOfAll,
  async 'log.level'(t) {
    const { gateway, send, change } = await setUp(t, { log: { level: 'debug' } });
    const accepted = () => gateway.log.filter((line) => line.includes('request accepted')).length;
    await send();
    assert.equal(accepted(), 1);
    await change({ log: { level: 'warn' } });
    await send();
    assert.equal(accepted(), 1);
  },
};

const marked = optionsBelow(describeSchema(configSchema)).filter(
  ({ kind, reloads }) => kind !== 'section' && reloads !== 'no',
);

test('every option that a reload may change is seen to hold below, and no other is', () => {
  assert.deepEqual(marked.map(({ name }) => name).toSorted(), Object.keys(CASES).toSorted());
});

test('a configuration that turns out to be unusable when it is put to use changes nothing', async (t) => {
  const [first, second] = [await createCertificate(t), await createCertificate(t)];
  const listen = (cert: string) => ({ http: { tls: { cert, key: first.keyPath } } });
  const { gateway, key, send } = await setUp(t, { listen: listen(first.certPath) });
  const reloaded = await gateway.reload({ listen: listen(second.certPath), limits: { maxBody: '1KiB' } });
  assert.deepEqual(Object.keys(reloaded), ['result', 'cause']);
  const call = { headers: { 'x-api-key': key }, body: Buffer.alloc(2_048) };
  const agent = new https.Agent({ ca: first.cert });
  t.after(() => agent.destroy());
  assert.equal(await send({ ...call, agent }), 200);
});

const names = Object.keys(CASES);
for (const see of new Set(Object.values(CASES)))
  it(`holds after a reload: ${names.filter((name) => CASES[name] === see).join(', ')}`, see);
