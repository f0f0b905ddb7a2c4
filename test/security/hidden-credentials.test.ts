import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyText } from '../../src/credential/key-text.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, END_STREAM, frame, FRAME, grpcHead } from '../support/h2-frames.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { until } from '../support/wait.ts';

/**
 * A second credential behind a first one: Node keeps the first of two Authorization fields and joins others with commas, a
 * collector may do the opposite. A request has one credential or is refused, and none of it goes on.
 */
const OTHER = createKeyText('ingestion');

// oxfmt-ignore
const HIDDEN: Readonly<Record<string, (key: string) => readonly (readonly [name: string, value: string])[]>> = {
  'a second Authorization': (key) => [['authorization', `Bearer ${key}`], ['authorization', `Bearer ${OTHER}`]],
  'a first Authorization': (key) => [['authorization', `Bearer ${OTHER}`], ['authorization', `Bearer ${key}`]],
  'an Authorization of another scheme': (key) => [['authorization', `Bearer ${key}`], ['authorization', `Basic ${btoa(`apikey:${OTHER}`)}`]],
  'an Authorization that is none of ours': (key) => [['authorization', `Bearer ${key}`], ['authorization', 'AWS4-HMAC-SHA256 x']],
  'a second X-API-Key': (key) => [['x-api-key', key], ['x-api-key', OTHER]],
  'a key in another carrier': (key) => [['authorization', `Bearer ${key}`], ['sts-api-key', OTHER]],
  'two keys joined by a comma': (key) => [['x-api-key', `${key}, ${OTHER}`]],
  'the same key joined by a comma': (key) => [['x-api-key', `${key}, ${key}`]],
  'two credentials joined by a comma': (key) => [['authorization', `Bearer ${key}, Bearer ${OTHER}`]],
};

test('over HTTP/1.1 a credential behind another one is refused and not forwarded', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  for (const [sentence, fields] of Object.entries(HIDDEN)) {
    await t.test(sentence, async () => {
      const lines = fields(key).map(([name, value]) => `${name}: ${value}`);
      const bytes = request('POST /v1/traces HTTP/1.1', [
        'Host: x',
        ...lines,
        'Content-Length: 0',
        'Connection: close',
      ]);
      assert.deepEqual((await send(bytes)).statuses, [403]);
      assert.equal(upstream.received(), '');
    });
  }
});

test('over HTTP/2 a credential behind another one is refused and not forwarded', async (t) => {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl } });
  const { text: key } = await gateway.createKey();
  for (const [sentence, fields] of Object.entries(HIDDEN)) {
    await t.test(sentence, async (t) => {
      const denied = () => gateway.metric('keygate_requests_total', { protocol: 'grpc', verdict: 'deny' });
      const before = await denied();
      const connection = await connectFrames(t, gateway.addresses.grpc.port);
      await connection.send(frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 1, block(grpcHead(...fields(key)))));
      await until('it is answered', () => connection.of(FRAME.HEADERS).length > 0);
      assert.equal(await denied(), before + 1);
      assert.equal(collector.begun(), 0);
    });
  }
});

test('a credential in a trailer, in te or in a query is none', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const fields = [
    'Host: x',
    `TE: trailers;${key}`,
    `Cookie: x-api-key=${key}`,
    'Trailer: x-api-key',
    'Transfer-Encoding: chunked',
    'Connection: close',
  ];
  const body = `3\r\nabc\r\n0\r\nx-api-key: ${key}\r\nauthorization: Bearer ${key}\r\n\r\n`;
  const { statuses, text } = await send(request(`POST /v1/traces?api_key=${key} HTTP/1.1`, fields, body));
  assert.deepEqual(statuses, [403]);
  assert.match(text, /missing_credential/);
  assert.ok(!text.includes(key));
  assert.equal(upstream.received(), '');
});

test('a credential in a trailer or in te beside a good one does not go on', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const fields = [
    'Host: x',
    `X-API-Key: ${key}`,
    `TE: ${OTHER}`,
    'Trailer: authorization',
    'Transfer-Encoding: chunked',
    'Connection: close',
  ];
  const body = `3\r\nabc\r\n0\r\nauthorization: Bearer ${OTHER}\r\n\r\n`;
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields, body))).statuses, [200]);
  assert.equal(upstream.requests.length, 1);
  for (const secret of [key, OTHER]) assert.ok(!upstream.received().includes(secret));
});

test('in every carrier, in any case and repeated, the credential stays with us', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const carriers = [
    `Authorization: ApiKey ${key}`,
    `AUTHORIZATION: bearer ${key}`,
    `authorization: Basic ${btoa(`apikey:${key}`)}`,
    `X-Api-Key: ${key}`,
    `apikey: ${key}`,
    `STS-API-KEY: ${key}`,
  ];
  const fields = ['Host: x', ...carriers, ...carriers, 'Content-Length: 0', 'Connection: close'];
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.1', fields))).statuses, [200]);
  assert.doesNotMatch(upstream.received(), /authorization|api-?key|iapikeyok/i);
});
