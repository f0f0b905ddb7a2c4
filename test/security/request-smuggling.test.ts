import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { bytesOf, SMUGGLED, SMUGGLING_CASES } from '../support/smuggling-cases.ts';
import { faultOf, followingRequest } from '../support/smuggling-verdict.ts';
import { until } from '../support/wait.ts';

/** The same cases go through real proxies in `npm run test:smuggling`. */
test('of a request whose end or recipient could be disputed, nothing goes on that was not sent as a request', async (t) => {
  const { upstream, key, keyId, send } = await startRawPath(t);
  const identity = [`x-keygate-key-id: ${keyId}`, 'x-keygate-key-name: test-1'];

  for (const one of SMUGGLING_CASES) {
    await t.test(one.sentence, async () => {
      const before = upstream.requests.length;
      const { statuses } = await send(bytesOf(one, key) + followingRequest(key));
      if (one.last) await until('it has arrived', () => upstream.requests.length > before);
      const arrived = upstream.requests.slice(before);
      assert.equal(faultOf(one, { statuses, arrived, key, identity }), undefined);
    });
  }
});

test('what is in the body of a good request stays in its body: as many requests go on as came in', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const HOST = 'Host: gateway';
  const LINE = 'POST /v1/traces HTTP/1.1';
  const LENGTH = `Content-Length: ${SMUGGLED.length}`;
  const CHUNKED = 'Transfer-Encoding: chunked';
  const K = `X-API-Key: ${key}`;
  const chunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
  const good = [
    request(LINE, [HOST, K, LENGTH], SMUGGLED),
    request(LINE, [HOST, K, CHUNKED], chunk),
    request(LINE, [HOST, K, 'transfer-encoding:\tChunked '], chunk),
    request(LINE, [HOST, K, 'Transfer_Encoding: chunked', LENGTH], SMUGGLED),
    request(LINE, [HOST, K, 'Content_Length: 0', CHUNKED], chunk),
    request(LINE, [HOST, K, 'Connection: content-length', LENGTH], SMUGGLED),
    request(LINE, [HOST, K, 'Connection: transfer-encoding, close', CHUNKED], chunk),
  ];
  const { statuses } = await send(good.join(''));
  assert.deepEqual(
    statuses,
    good.map(() => 200),
  );
  assert.deepEqual(
    upstream.requests.map(({ body }) => body),
    good.map(() => SMUGGLED),
  );
  for (const { head } of upstream.requests) {
    assert.equal(head.match(/^(?:content-length|transfer-encoding):/gim)?.length, 1, head);
    assert.doesNotMatch(head, /_/);
  }
});
