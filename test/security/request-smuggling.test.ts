import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/**
 * Requests whose end, or whose recipient, two readers may see differently (RFC 9112 sections 3.2, 6 and 11.2). Each carries
 * a good key, and behind it another request that must never be read as one.
 */
const LINE = 'POST /v1/traces HTTP/1.1';
const HOST = 'Host: gateway';
const SMUGGLED = request('POST /v1/traces HTTP/1.1', ['Host: x', 'x-keygate-key-id: 1', 'Content-Length: 0']);
const CHUNKED = 'Transfer-Encoding: chunked';
const NO_CHUNKS = '0\r\n\r\n';
const LENGTH = `Content-Length: ${SMUGGLED.length}`;

interface Case {
  readonly sentence: string;
  readonly line?: string;
  /** Beside the key. */
  readonly fields: readonly string[];
  readonly body?: string;
}

// oxfmt-ignore
const REFUSED: readonly Case[] = [
  { sentence: 'a length and chunks', fields: [HOST, 'Content-Length: 5', CHUNKED], body: NO_CHUNKS },
  { sentence: 'chunks and a length', fields: [HOST, CHUNKED, LENGTH], body: NO_CHUNKS },
  { sentence: 'two lengths that differ', fields: [HOST, 'Content-Length: 0', LENGTH] },
  { sentence: 'two lengths that agree', fields: [HOST, 'Content-Length: 0', 'Content-Length: 0'] },
  { sentence: 'a list of lengths', fields: [HOST, 'Content-Length: 0, 0'] },
  { sentence: 'a length with a sign', fields: [HOST, 'Content-Length: +0'] },
  { sentence: 'a negative length', fields: [HOST, 'Content-Length: -1'] },
  { sentence: 'a length in hexadecimal', fields: [HOST, 'Content-Length: 0x0'] },
  { sentence: 'an empty length', fields: [HOST, 'Content-Length:'] },
  { sentence: 'a length beyond 64 bits', fields: [HOST, 'Content-Length: 99999999999999999999999'] },
  { sentence: 'a space before the colon of the length', fields: [HOST, 'Content-Length : 0'] },
  { sentence: 'gzip before chunked', fields: [HOST, 'Transfer-Encoding: gzip, chunked'], body: NO_CHUNKS },
  { sentence: 'identity before chunked', fields: [HOST, 'Transfer-Encoding: identity, chunked'], body: NO_CHUNKS },
  { sentence: 'identity after chunked', fields: [HOST, 'Transfer-Encoding: chunked, identity'], body: NO_CHUNKS },
  { sentence: 'identity alone', fields: [HOST, 'Transfer-Encoding: identity', 'Content-Length: 0'] },
  { sentence: 'chunked twice', fields: [HOST, CHUNKED, CHUNKED], body: NO_CHUNKS },
  { sentence: 'chunked with a parameter', fields: [HOST, 'Transfer-Encoding: chunked;q=1'], body: NO_CHUNKS },
  { sentence: 'chunked in quotes', fields: [HOST, 'Transfer-Encoding: "chunked"'], body: NO_CHUNKS },
  { sentence: 'a word that ends in chunked', fields: [HOST, 'Transfer-Encoding: xchunked'], body: NO_CHUNKS },
  { sentence: 'a vertical tab before chunked', fields: [HOST, 'Transfer-Encoding: \x0bchunked'], body: NO_CHUNKS },
  { sentence: 'an empty transfer coding', fields: [HOST, 'Transfer-Encoding:', 'Content-Length: 0'] },
  { sentence: 'a space before the colon of the transfer coding', fields: [HOST, 'Transfer-Encoding : chunked'], body: NO_CHUNKS },
  { sentence: 'a folded transfer coding', fields: [HOST, 'X-A: b\r\n Transfer-Encoding: chunked'], body: NO_CHUNKS },
  { sentence: 'any folded field (obs-fold)', fields: [HOST, 'X-A: b\r\n c', 'Content-Length: 0'] },
  { sentence: 'a bare carriage return in a field', fields: [HOST, 'X-A: b\rTransfer-Encoding: chunked', 'Content-Length: 0'] },
  { sentence: 'a bare line feed after a field', fields: [HOST, 'X-A: b\nX-B: c', 'Content-Length: 0'] },
  { sentence: 'a NUL in a field', fields: [HOST, 'X-A: b\0', 'Content-Length: 0'] },
  { sentence: 'chunks on HTTP/1.0', line: 'POST /v1/traces HTTP/1.0', fields: [HOST, CHUNKED], body: NO_CHUNKS },
  { sentence: 'HTTP/2.0 in a request line', line: 'POST /v1/traces HTTP/2.0', fields: [HOST, 'Content-Length: 0'] },
  { sentence: 'a version that does not exist', line: 'POST /v1/traces HTTP/1.2', fields: [HOST, 'Content-Length: 0'] },
  { sentence: 'a request line without a version', line: 'POST /v1/traces', fields: [HOST, 'Content-Length: 0'] },
  { sentence: 'no Host', fields: ['Content-Length: 0'] },
  { sentence: 'two hosts', fields: [HOST, 'Host: other', 'Content-Length: 0'] },
  { sentence: 'the same host twice', fields: [HOST, HOST, 'Content-Length: 0'] },
  { sentence: 'a chunk without a size', fields: [HOST, CHUNKED], body: 'zz\r\n' },
  { sentence: 'a chunk size in the form 0x', fields: [HOST, CHUNKED], body: '0x0\r\n\r\n' },
  { sentence: 'a chunk size with a sign', fields: [HOST, CHUNKED], body: '+0\r\n\r\n' },
  { sentence: 'a chunk size beyond 64 bits', fields: [HOST, CHUNKED], body: '10000000000000000\r\n' },
  { sentence: 'a chunk that is longer than it says', fields: [HOST, CHUNKED], body: '1\r\nab\r\n0\r\n\r\n' },
  { sentence: 'a line feed in a chunk extension', fields: [HOST, CHUNKED], body: '0;a="\n"\r\n\r\n' },
  { sentence: 'a bare line feed after a chunk size', fields: [HOST, CHUNKED], body: '0\n\r\n' },
];

test('a request with an ambiguous end or recipient is refused with 400 and nothing of its connection goes on', async (t) => {
  const { upstream, key, send } = await startRawPath(t);

  for (const { sentence, line = LINE, fields, body = '' } of REFUSED) {
    await t.test(sentence, async () => {
      const bytes = request(line, [`X-API-Key: ${key}`, ...fields], body) + SMUGGLED;
      const { statuses } = await send(bytes);
      assert.deepEqual(statuses, [400]);
      assert.doesNotMatch(upstream.received(), /^x-keygate-key-id: 1$/im);
      assert.deepEqual(upstream.requests, []);
    });
  }
});

test('16 KiB of chunk extensions are not read to the end (CVE-2024-22019)', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const bytes = request(LINE, [HOST, `X-API-Key: ${key}`, CHUNKED], `0;${'a'.repeat(20_000)}\r\n\r\n`);
  const { statuses } = await send(bytes);
  assert.deepEqual(statuses, [400]);
  assert.deepEqual(upstream.requests, []);
});

/** GHSA-ggv3-7p47-pfv8: http-proxy announces an empty body for these and sends the body after it, as another request. */
for (const method of ['DELETE', 'OPTIONS', 'GET', 'HEAD', 'PUT', 'PATCH', 'TRACE']) {
  test(`a ${method} with a chunked body is refused, and its body is no request`, async (t) => {
    const { upstream, key, send } = await startRawPath(t);
    const chunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
    const head = [HOST, `X-API-Key: ${key}`, CHUNKED, 'Connection: close'];
    const { statuses } = await send(request(`${method} /v1/traces HTTP/1.1`, head, chunk));
    assert.deepEqual(statuses, [405]);
    assert.equal(upstream.received(), '');
  });
}

test('what is in the body of a good request stays in its body: as many requests go on as came in', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
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
