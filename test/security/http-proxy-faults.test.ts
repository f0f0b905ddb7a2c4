import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { until } from '../support/wait.ts';

/**
 * Faults of http-proxy 1.18.1 that nobody mends any more. Two more are tested where others of their kind are: the bodies of
 * DELETE and OPTIONS (GHSA-ggv3-7p47-pfv8) in request-smuggling, fields that pass though they are hop-by-hop in
 * hop-by-hop-abuse.
 */

for (const [when, body] of [
  ['after its request', 'abc'],
  ['in the middle of its request', 'ab'],
] as const) {
  test(`a client that leaves ${when} takes the request to the collector with it (node-http-proxy#1559, #1696)`, async (t) => {
    const upstream = await startRawUpstream(t, { silent: true });
    const gateway = await startGateway(t, { upstream: { http: upstream.url } });
    const { text: key } = await gateway.createKey();
    const clients = await Promise.all(Array.from({ length: 30 }, () => connectRaw(t, gateway.addresses.http.port)));
    const head = ['Host: gateway', `X-API-Key: ${key}`, 'Content-Length: 3'];
    for (const client of clients) client.write(request('POST /v1/traces HTTP/1.1', head, body));
    await until('all requests have reached the collector', () => upstream.received().split('POST').length - 1 === 30);

    for (const client of clients) client.destroy();

    await until('no request to the collector is left', () => upstream.open() === 0, 1_000);
    assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
  });
}

test('a Trailer field does not end the process (node-http-proxy#1647)', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const fields = ['Host: gateway', `X-API-Key: ${key}`, 'Trailer: x', 'Connection: close'];
  const withLength = await send(request('POST /v1/traces HTTP/1.1', [...fields, 'Content-Length: 3'], 'abc'));
  const inChunks = await send(
    request('POST /v1/traces HTTP/1.1', [...fields, 'Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\nx: y\r\n\r\n'),
  );
  assert.deepEqual([withLength.statuses, inChunks.statuses], [[200], [200]]);
  assert.deepEqual(
    upstream.requests.map(({ body }) => body),
    ['abc', 'abc'],
  );
  assert.doesNotMatch(upstream.received(), /^trailer|^x: y/im);
});

test('a client that has gone before it is answered does not end the process', async (t) => {
  const { gateway, key, send } = await startRawPath(t);
  const head = ['Host: gateway', `X-API-Key: ${key}`, 'Content-Length: 3'];
  for (let i = 0; i < 30; i++) {
    const client = await connectRaw(t, gateway.addresses.http.port);
    client.write(request('POST /v1/traces HTTP/1.1', head, 'abc'));
    client.resetAndDestroy();
  }
  await until('all are done with', async () => (await gateway.metric('keygate_connections', { port: 'http' })) === 0);
  const { statuses } = await send(request('POST /v1/traces HTTP/1.1', [...head, 'Connection: close'], 'abc'));
  assert.deepEqual(statuses, [200]);
});
