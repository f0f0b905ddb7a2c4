import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { NewKey } from '../../src/keys/new-key.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { connectGrpc, reasonOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';

type ConfigInput = Parameters<typeof startGateway>[1];

/** A gateway before a collector for OTLP and a receiver for everything else that agents send. */
async function setUp(t: TestContext, config: ConfigInput = {}) {
  const [otlp, receiver] = [await startCollector(t), await startCollector(t)];
  const gateway = await startGateway(t, {
    upstream: { http: otlp.httpUrl },
    ...config,
    routes: { agent: { target: receiver.httpUrl, ...config.routes?.agent } },
  });
  const send = (path: string, call: HttpCall = {}) => callHttp(gateway.httpUrl, { path, ...call });
  const get = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
    send(path, { method, headers: { 'content-type': 'text/plain', ...headers }, body: '' });
  const keyWith = async (key: Partial<NewKey> = {}) => (await gateway.createKey(key)).text;
  return { otlp, receiver, gateway, send, get, keyWith };
}

function outcome({ status, body }: HttpAnswer): string {
  return status < 400 ? `${status}` : `${status} ${reasonOf(decodeStatus(body))}`;
}

describe('what agents send', () => {
  it('arrives at the receiver byte for byte, by the name that it has there, with the identity of the key and without the key', async (t) => {
    const { receiver, gateway, send } = await setUp(t);
    const { text: key, id } = await gateway.createKey({ name: 'agents', tenant: 'acme' });
    const body = gzipSync('{"series":[]}');
    const headers = {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'sts-api-key': key,
      'x-keygate-key-id': '0',
    };
    const { status } = await send(`/receiver/stsAgent/api/v1/series?api_key=${key}&host=a%20b`, { headers, body });
    assert.equal(status, 200);
    const [arrival] = receiver.arrivals;
    assert.equal(arrival?.path, '/stsAgent/api/v1/series?host=a%20b');
    assert.deepEqual(arrival?.body, body);
    const {
      'content-encoding': coding,
      'x-keygate-key-id': keyId,
      'x-keygate-tenant': tenant,
    } = arrival?.headers ?? {};
    assert.deepEqual([coding, keyId, tenant], [['gzip'], [id], ['acme']]);
    assert.doesNotMatch(JSON.stringify(arrival), new RegExp(key));
  });

  it('may have its key in the query or in any field that holds one, and is refused if two differ', async (t) => {
    const { receiver, send, keyWith } = await setUp(t);
    const [key, other] = [await keyWith(), await keyWith()];
    const basic = (text: string) => `Basic ${btoa(`apikey:${text}`)}`;
    const ways: readonly (readonly [query: string, headers: Readonly<Record<string, string>>, expected: string])[] = [
      [`?api_key=${key}`, {}, '200'],
      ['', { 'sts-api-key': key }, '200'],
      ['', { authorization: basic(key) }, '200'],
      ['', { authorization: `ApiKey ${key}` }, '200'],
      [`?api_key=${key}`, { 'sts-api-key': key, authorization: basic(key) }, '200'],
      [`?api_key=${key}&api_key=${key}`, {}, '200'],
      [`?api%5Fkey=${key.replace('-', '%2D')}`, {}, '200'],
      [`?api_key=${key}&api_key=${other}`, {}, '403 conflicting_credentials'],
      [`?api_key=${key}`, { 'sts-api-key': other }, '403 conflicting_credentials'],
      [`?api_key=${other};api%5Fkey=${key}`, {}, '403 conflicting_credentials'],
      [`?api_key=${key}`, { authorization: basic(other) }, '403 conflicting_credentials'],
      [`?api_key=${key},${key}`, {}, '403 malformed_credential'],
      [`?api_key=${key}%00`, {}, '403 malformed_credential'],
      ['?api_key=', {}, '403 missing_credential'],
      [`?apikey=${key}`, {}, '403 missing_credential'],
      ['?api_key=never-seen', {}, '403 unknown_key'],
    ];
    const seen = [];
    for (const [query, headers] of ways) seen.push(outcome(await send(`/stsAgent/intake/${query}`, { headers })));
    assert.deepEqual(
      seen,
      ways.map(([, , expected]) => expected),
    );
    const accepted = ways.filter(([, , expected]) => expected === '200').length;
    assert.deepEqual(
      receiver.arrivals.map(({ path }) => path),
      Array(accepted).fill('/stsAgent/intake/'),
    );
  });

  it('is for keys of the types that agents and other senders have', async (t) => {
    const { send, keyWith } = await setUp(t);
    const seen: string[] = [];
    for (const key of [
      {},
      { type: 'sensor' },
      { type: 'thirdParty' },
      { type: 'rum' },
      { signals: ['metrics'] },
    ] as const)
      seen.push(outcome(await send(`/stsAgent/intake/?api_key=${await keyWith(key)}`)));
    assert.deepEqual(seen, ['200', '200', '200', '403 route_not_allowed', '403 signal_not_allowed']);
  });

  it('is the same over HTTP/2', async (t) => {
    const { receiver, gateway, keyWith } = await setUp(t);
    const key = await keyWith();
    const session = await connectGrpc(t, gateway.httpUrl);
    const paths = [`/receiver/stsAgent/intake/?api_key=${key}&n=1`, `/stsAgent/features?api_key=${key}`];
    for (const path of [...paths, ...paths]) {
      const method = path.includes('features') ? 'GET' : 'POST';
      const { status } = await callHttpOverH2(session, { path, method, ...(method === 'GET' && { body: '' }) });
      assert.equal(status, 200);
    }
    const arrived = ['/stsAgent/intake/?n=1', '/stsAgent/features'];
    assert.deepEqual(
      receiver.arrivals.map(({ path }) => path),
      [...arrived, ...arrived],
    );
  });

  it('takes keys from a query nowhere else', async (t) => {
    const { otlp, send, keyWith } = await setUp(t);
    const key = await keyWith();
    assert.equal(outcome(await send(`/v1/traces?api_key=${key}`)), '403 missing_credential');
    assert.equal(otlp.arrivals.length, 0);
  });

  it('is refused, while there is no receiver, with the name of the option that says where it is', async (t) => {
    const { send, get, keyWith } = await setUp(t, { routes: { agent: { target: null } } });
    const key = await keyWith();
    const { status, body } = await send(`/receiver/stsAgent/intake/?api_key=${key}`);
    assert.equal(status, 404);
    assert.match(decodeStatus(body).message, /routes\.agent\.target must be set\. \(not_found/);
    assert.equal((await get(`/stsAgent/api/v1/validate?api_key=${key}`)).status, 200);
    assert.equal((await send(`/stsAgent/otel/v1/logs?api_key=${key}`)).status, 200);
  });

  it('may be put at other paths, and all below them', async (t) => {
    const { receiver, send, keyWith } = await setUp(t, { routes: { agent: { paths: ['/intake/v2'] } } });
    const key = await keyWith();
    const seen = [];
    for (const path of ['/intake/v2', '/receiver/intake/v2/x', '/intake/v20', '/stsAgent/intake/'])
      seen.push((await send(`${path}?api_key=${key}`)).status);
    assert.deepEqual(seen, [200, 200, 404, 404]);
    assert.deepEqual(
      receiver.arrivals.map(({ path }) => path),
      ['/intake/v2', '/intake/v2/x'],
    );
  });
});

describe('OTLP below /stsAgent/otel', () => {
  it('goes to the collector by its own path, and is judged by its own signal', async (t) => {
    const { otlp, receiver, send, keyWith } = await setUp(t);
    const key = await keyWith({ signals: ['traces', 'profiles'] });
    const seen = [];
    for (const base of ['/stsAgent/otel', '/receiver/stsAgent/otel'])
      for (const path of ['/v1/traces', '/v1/metrics', '/v1/logs', '/v1development/profiles'])
        seen.push(outcome(await send(`${base}${path}?api_key=${key}`)));
    const each = ['200', '403 signal_not_allowed', '403 signal_not_allowed', '200'];
    assert.deepEqual(seen, [...each, ...each]);
    const paths = ['/v1/traces', '/v1development/profiles'];
    assert.deepEqual(
      otlp.arrivals.map(({ path }) => path),
      [...paths, ...paths],
    );
    assert.equal(receiver.arrivals.length, 0);
  });
});

describe('an agent that asks whether its key is good', () => {
  const PATHS = ['/stsAgent/api/v1/validate', '/receiver/stsAgent/api/v1/validate'];

  for (const path of PATHS) {
    it(`hears yes with 200 and no with 403 at ${path}`, async (t) => {
      const { receiver, gateway, get, keyWith } = await setUp(t);
      const key = await keyWith();
      const yes = await get(`${path}?api_key=${key}`);
      assert.deepEqual([yes.status, yes.body.toString()], [200, '{"valid":true}']);
      assert.equal((await get(path, { 'sts-api-key': key })).status, 200);
      const head = await get(`${path}?api_key=${key}`, {}, 'HEAD');
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      for (const query of ['', '?api_key=never-seen', `?api_key=${key}&api_key=other`])
        assert.equal((await get(`${path}${query}`)).status, 403);
      const post = await get(`${path}?api_key=${key}`, {}, 'POST');
      assert.deepEqual([post.status, post.headers['allow']], [405, 'GET, HEAD']);
      assert.equal(receiver.begun(), 0);
      assert.equal(await gateway.metric('keygate_requests_total', { signal: 'agent', verdict: 'allow' }), 3);
    });
  }

  it('is told nothing of what the key may send, and uses up none of its rate', async (t) => {
    const { get, keyWith } = await setUp(t);
    const key = await keyWith({ limits: { requestsPerSecond: 1 }, cidrs: ['192.0.2.0/24'], type: 'rum' });
    const seen = [];
    for (let i = 0; i < 5; i++) seen.push((await get(`${PATHS[0]}?api_key=${key}`)).status);
    assert.deepEqual(seen, [200, 200, 200, 200, 200]);
  });

  it('hears 503 while nobody can tell, and never no', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { get, keyWith } = await setUp(t, { store: { redis: { url: redis.url, commandTimeout: '300ms' } } });
    const [known, unseen] = [await keyWith(), await keyWith()];
    assert.equal((await get(`${PATHS[0]}?api_key=${known}`)).status, 200);
    redis.freeze();
    const [yes, doubt] = [await get(`${PATHS[1]}?api_key=${known}`), await get(`${PATHS[1]}?api_key=${unseen}`)];
    assert.deepEqual([yes.status, doubt.status], [200, 503]);
    assert.match(doubt.headers['retry-after'] ?? '', /^[1-5]$/);
  });

  it('hears no from the moment on when its key is revoked', async (t) => {
    const { gateway, get } = await setUp(t);
    const { text: key, id } = await gateway.createKey();
    assert.equal((await get(`${PATHS[0]}?api_key=${key}`)).status, 200);
    await gateway.app.keys.revoke('ingestion', id, { name: 'test' }, { force: true });
    assert.equal((await get(`${PATHS[0]}?api_key=${key}`)).status, 403);
  });
});
