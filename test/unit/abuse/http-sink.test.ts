import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHttpSink } from '../../abuse/http-sink.ts';

const REQUESTS = [
  'POST / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 9\r\n\r\ntelemetry',
  'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ntelemetry\r\n1a\r\n\r\n\r\nPOST / HTTP/1.1\r\n\r\n012\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-trailer: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
];

/** How many requests it has answered after each of these pieces. */
function answers(pieces: readonly string[]): number[] {
  let count = 0;
  const take = createHttpSink((bytes) => {
    assert.equal(bytes.toString().split('\r\n')[0], 'HTTP/1.1 200 OK');
    count++;
  });
  return pieces.map((piece) => {
    take(Buffer.from(piece));
    return count;
  });
}

test('each request is answered at its end, and not before', () => {
  assert.deepEqual(answers(REQUESTS), [1, 2, 3, 4, 5]);
  for (const request of REQUESTS) {
    assert.deepEqual(answers([request.slice(0, -1), request.slice(-1)]), [0, 1]);
    assert.deepEqual(answers(request.split('')).at(-1), 1);
  }
});

test('requests that come together are all answered', () => {
  assert.deepEqual(answers([REQUESTS.join('')]), [REQUESTS.length]);
});
