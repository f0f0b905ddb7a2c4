import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

const LINE = 'POST /v1/traces HTTP/1.1';
const HOST = 'Host: gateway';
const LAST = request('GET /the-end HTTP/1.1', [HOST, 'Connection: close']);

test('what is pipelined behind a refusal is judged for itself, each with its own key', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const refused = request(LINE, [HOST, 'Content-Length: 3'], 'one');
  const good = request(LINE, [HOST, `X-API-Key: ${key}`, 'Content-Length: 3'], 'two');
  const wrong = request(LINE, [HOST, `X-API-Key: ${key}x`, 'Transfer-Encoding: chunked'], '5\r\nthree\r\n0\r\n\r\n');
  const { statuses } = await send(refused + good + refused + wrong + good + LAST);
  assert.deepEqual(statuses, [403, 200, 403, 403, 200, 404]);
  assert.deepEqual(
    upstream.requests.map(({ body }) => body),
    ['two', 'two'],
  );
});

test('a key does not carry over to the next request of its connection', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const good = request(LINE, [HOST, `X-API-Key: ${key}`, 'Content-Length: 3'], 'two');
  const without = request(LINE, [HOST, 'Content-Length: 3'], 'one');
  assert.deepEqual((await send(good + without + LAST)).statuses, [200, 403, 404]);
  assert.equal(upstream.requests.length, 1);
});

test('nothing is taken behind a head that could not be trusted, though it came in the same packet (RFC 9112 section 9.6)', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const good = request(LINE, [HOST, `X-API-Key: ${key}`, 'Content-Length: 0']);
  const bad = request(LINE, [HOST, HOST, `X-API-Key: ${key}`, 'Content-Length: 0']);
  const { statuses, text } = await send(bad + good + good);
  assert.deepEqual(statuses, [400]);
  assert.match(text, /^connection: close$/im);
  assert.deepEqual(upstream.requests, []);
});

test('nonsense behind a request is not answered in the place of that request', async (t) => {
  const { key, send } = await startRawPath(t);
  const good = request(LINE, [HOST, `X-API-Key: ${key}`, 'Content-Length: 0']);
  const [first = 200] = (await send(`${good}nonsense\r\n\r\n`)).statuses;
  assert.equal(first, 200);
});

test('nonsense behind a refusal is answered once', async (t) => {
  const { send } = await startRawPath(t);
  const refused = request(LINE, [HOST, 'Transfer-Encoding: xchunked'], '0\r\n\r\n');
  assert.deepEqual((await send(`${refused}nonsense\r\n\r\n`)).statuses, [400]);
});

test('an interim answer is sent to whoever asks for it, and never over HTTP/1.0 (RFC 9110 section 10.1.1)', async (t) => {
  const { key, send } = await startRawPath(t);
  const fields = [HOST, `X-API-Key: ${key}`, 'Expect: 100-continue', 'Content-Length: 3', 'Connection: close'];
  assert.deepEqual((await send(request(LINE, fields, 'abc'))).statuses, [100, 200]);
  assert.deepEqual((await send(request('POST /v1/traces HTTP/1.0', fields, 'abc'))).statuses, [200]);
});

test('whoever waits for leave to send its body gets none without a key', async (t) => {
  const { send } = await startRawPath(t);
  const fields = [HOST, 'Expect: 100-continue', 'Content-Length: 3', 'Connection: close'];
  assert.deepEqual((await send(request(LINE, fields, 'abc'))).statuses, [403]);
});

for (const expectation of ['unicorns', '100-continue, unicorns', 'x 100-continue', '100-continue\t100-continue']) {
  test(`the expectation "${expectation}" changes nothing of where the request ends`, async (t) => {
    const { upstream, key, send } = await startRawPath(t);
    const fields = [HOST, `X-API-Key: ${key}`, `Expect: ${expectation}`, 'Content-Length: 3', 'Connection: close'];
    const { statuses } = await send(request(LINE, fields, 'abc'));
    assert.deepEqual(
      statuses.filter((status) => status !== 100),
      [200],
    );
    assert.deepEqual(
      upstream.requests.map(({ body }) => body),
      ['abc'],
    );
    assert.doesNotMatch(upstream.received(), /expect|unicorns/i);
  });
}
