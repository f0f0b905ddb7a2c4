import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { askHttp, forwarded, reasonIn } from '../support/authz-client.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, TRACES_PATH } from '../support/grpc-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { cidrs } from '../support/stores.ts';

async function setUp(t: TestContext, key?: Partial<NewKey>, authz: object = {}) {
  const gateway = await startGateway(t, { authz: { http: { address: '127.0.0.1:0' }, ...authz } });
  const { text, id } = await gateway.createKey(key);
  const port = gateway.addresses.authz_http?.port ?? 0;
  return { gateway, text, id, port };
}

describe('what proxies are told over HTTP', () => {
  it('is 200 for a good key, with whose it is and what to take out', async (t) => {
    const { gateway, text, id, port } = await setUp(t, { name: 'shop', tenant: 'acme' });
    const asked = {
      ...forwarded(),
      authorization: `ApiKey ${text}`,
      'x-keygate-tenant': 'forged',
      X_Keygate_Role: 'a',
    };
    const { status, headers, body } = await askHttp(port, asked);
    const told = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-keygate-')));
    assert.deepEqual([status, body.length], [200, 0]);
    assert.deepEqual(told, { 'x-keygate-key-id': id, 'x-keygate-key-name': 'shop', 'x-keygate-tenant': 'acme' });
    const removed = headers['x-envoy-auth-headers-to-remove']?.split(',');
    assert.deepEqual(removed, ['authorization', 'x-api-key', 'apikey', 'sts-api-key', 'x_keygate_role']);
    assert.equal(await gateway.metric('keygate_requests_total', { protocol: 'authz_http', verdict: 'allow' }), 1);
    assert.equal(await gateway.metric('keygate_connections', { port: 'authz_http' }), 0);
  });

  it('is the refusal in the encoding of the request that it is about', async (t) => {
    const { port } = await setUp(t);
    const of = (type: string) => askHttp(port, { ...forwarded(), 'content-type': type });
    const protobuf = await of('application/x-protobuf');
    assert.deepEqual([protobuf.status, decodeStatus(protobuf.body).code], [403, 7]);
    const json = await of('application/json');
    assert.equal((JSON.parse(json.body.toString()) as { code: number }).code, 7);
    assert.match(json.headers['x-keygate-message'] ?? '', /^No ingestion key was sent\..*missing_credential, request /);
    assert.equal(json.headers['grpc-status'], undefined);
  });

  it('of a gRPC request has the fields of a gRPC refusal besides, for proxies that make one of it', async (t) => {
    const { port } = await setUp(t);
    const asked = { ...forwarded(TRACES_PATH), 'content-type': 'application/grpc', 'x-api-key': 'nobody-has-this' };
    const { status, headers } = await askHttp(port, asked);
    assert.deepEqual(
      [status, headers['grpc-status'], headers['content-type']],
      [403, '7', 'text/plain; charset=utf-8'],
    );
    assert.equal(reasonIn(headers['grpc-status-details-bin']), 'unknown_key');
  });

  it('is the same however the proxy says what it asks about', async (t) => {
    const { text, port } = await setUp(t, { signals: ['traces'] });
    const key = { 'x-api-key': text };
    const said = [
      [{ 'x-forwarded-uri': '/v1/traces?a=b' }, '/authz'],
      [{ 'x-original-uri': '/v1/traces' }, '/authz'],
      [{ 'x-original-url': 'https://otlp.example.com/v1/traces?a=b', 'x-original-method': 'POST' }, '/authz?x=y'],
      [{ 'x-forwarded-uri': TRACES_PATH }, '/authz'],
      [{ 'x-forwarded-uri': '/v1/traces', 'x-original-url': 'http://x/v1/traces' }, '/authz'],
    ] as const;
    for (const [headers, path] of said) {
      assert.equal((await askHttp(port, { ...key, ...headers }, path)).status, 200, JSON.stringify(headers));
      const logs = JSON.stringify(headers).replaceAll('traces', 'logs').replaceAll('trace.v1.Trace', 'logs.v1.Logs');
      assert.equal((await askHttp(port, { ...key, ...JSON.parse(logs) }, path)).status, 403, logs);
    }
    // As Envoy asks: path and method of the request itself, behind its prefix.
    const asPrefix = await askHttp(port, key, '/authz/v1/traces');
    assert.deepEqual([asPrefix.status, asPrefix.headers['allow']], [405, 'POST']);
  });

  it('is 404 for whatever is no question, and there is nothing else at that port', async (t) => {
    const { gateway, port, text } = await setUp(t);
    const token = await gateway.createKey({ kind: 'service', roles: ['admin'] });
    for (const path of ['/', '/api/ingestion-keys', '/authzx', '/metrics', '/console', '/authz%2f']) {
      const { status } = await askHttp(port, { ...forwarded(), 'x-api-key': token.text }, path);
      assert.equal(status, 404, path);
    }
    assert.equal((await askHttp(port, { ...forwarded(), 'x-api-key': text })).status, 200);
    assert.equal((await askHttp(port, { ...forwarded(), 'x-api-key': token.text })).status, 403);
  });

  it('is no for what would have to be relayed by another name, or without the key in its query', async (t) => {
    const { text, port } = await setUp(t);
    const ask = async (path: string): Promise<number> =>
      (await askHttp(port, { ...forwarded(path), 'x-api-key': text })).status;
    assert.equal(await ask('/stsAgent/intake'), 200);
    assert.equal(await ask('/json/rum'), 200);
    for (const path of [
      `/stsAgent/intake?api_key=${text}`,
      '/receiver/stsAgent/intake',
      '/stsAgent/otel/v1/traces',
      '/stsAgent/api/v1/validate',
    ])
      assert.equal(await ask(path), 404, path);
  });

  it('goes by the address that the proxy has seen, or the proxies that it knows have', async (t) => {
    const { text, port } = await setUp(
      t,
      { cidrs: cidrs('10.1.0.0/16') },
      { proxies: ['192.0.2.0/24', '2001:db8::/32'] },
    );
    const from = async (forwardedFor: string): Promise<number> =>
      (await askHttp(port, { ...forwarded(undefined, forwardedFor), 'x-api-key': text })).status;
    assert.equal(await from('10.1.2.3'), 200);
    assert.equal(await from('10.1.2.3, 192.0.2.1'), 200);
    assert.equal(await from('10.1.2.3:4711, [2001:db8::1]:443, 192.0.2.1'), 200);
    assert.equal(await from('10.2.2.3'), 403);
    assert.equal(await from('10.1.2.3, 198.51.100.1'), 403);
  });

  it('is given over HTTP/2 too, also about gRPC', async (t) => {
    const { gateway, text, port } = await setUp(t);
    const session = await connectGrpc(t, `127.0.0.1:${port}`);
    const { httpStatus } = await callGrpc(session, { path: `/authz${TRACES_PATH}`, headers: { 'x-api-key': text } });
    assert.equal(httpStatus, 200);
    const stream = session.request({ [http2.constants.HTTP2_HEADER_PATH]: '/authz', ...forwarded() });
    const status = await new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
    stream.destroy();
    assert.equal(status, 403);
    assert.equal(await gateway.metric('keygate_requests_total', { protocol: 'authz_http' }), 2);
  });
});
