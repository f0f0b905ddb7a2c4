import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { readAnswer } from '../../../../../src/plane/wire/http1/read-answer.ts';

function read(line: string, ...fields: readonly string[]) {
  const bytes = Buffer.from([line, ...fields, '', ''].join('\r\n'), 'latin1');
  return readAnswer(bytes, 0, bytes.length);
}

const OK = 'HTTP/1.1 200 OK';

describe('an answer whose end is in doubt is none (RFC 9112 section 6.3)', () => {
  // oxfmt-ignore
  const DOUBTFUL: Readonly<Record<string, readonly [line: string, ...fields: string[]]>> = {
    'two lengths': [OK, 'Content-Length: 5', 'Content-Length: 5'],
    'a list of lengths': [OK, 'Content-Length: 5, 5'],
    'a length that is no number': [OK, 'Content-Length: five'],
    'a length and chunks': [OK, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    'another coding': [OK, 'Transfer-Encoding: gzip'],
    'a coding before chunked': [OK, 'Transfer-Encoding: gzip, chunked'],
    'chunked twice': [OK, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    'chunks over HTTP/1.0': ['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'],
    'another version': ['HTTP/2.0 200 OK'],
    'a status with two digits': ['HTTP/1.1 99 Odd'],
    'a status with four digits': ['HTTP/1.1 2000 Odd'],
    'a status beyond 599': ['HTTP/1.1 600 Odd'],
    'no status': ['HTTP/1.1 OK'],
    'a control in the reason': ['HTTP/1.1 200 O\x01K'],
    'no HTTP': ['what?'],
    'a folded field': [OK, 'A: b', ' c'],
    'a space before a colon': [OK, 'Content-Length : 5'],
    'a control in a field': [OK, 'A: b\x02'],
    'a bare line feed': [OK, 'A: b\nContent-Length: 5'],
  };
  for (const [sentence, [line, ...fields]] of Object.entries(DOUBTFUL)) {
    it(sentence, () => assert.equal(read(line, ...fields), undefined));
  }
});

test('an answer says what may go on, and apart what varies', () => {
  const lines = [
    'Date: now',
    'Content-Length: 5',
    'X-A: b',
    'Set-Cookie: a',
    'Set-Cookie: b',
    'Trailer: x',
    'X-Hop: 1',
  ];
  const answer = read(OK, ...lines, 'Connection: x-hop, close');
  assert.deepEqual(answer?.known.head.fields, ['x-a', 'b', 'set-cookie', 'a', 'set-cookie', 'b']);
  assert.deepEqual([answer?.varying, answer?.length], [['date', 'now', 'content-length', '5'], 5]);
  assert.equal(answer?.varyingPlaces, undefined, 'Connection may name what varies');
});

test('its connection may be used again, unless it says otherwise', () => {
  const closes = (line: string, ...fields: string[]): boolean | undefined => read(line, ...fields)?.known.closes;
  assert.equal(closes(OK), false);
  assert.equal(closes(OK, 'Connection: Close'), true);
  assert.equal(closes('HTTP/1.0 200 OK', 'Content-Length: 0'), true);
  assert.equal(closes('HTTP/1.0 200 OK', 'Connection: keep-alive'), false);
  const keepAlive = (value: string): number | undefined => read(OK, `Keep-Alive: ${value}`)?.known.keepAliveMs;
  assert.equal(keepAlive('timeout=72'), 72_000);
  assert.equal(keepAlive('max=5, timeout=3'), 3_000);
  assert.equal(keepAlive('timeout=soon'), undefined);
});

test('its body ends by its length, by chunks, or with the connection', () => {
  assert.equal(read(OK, 'Content-Length: 5')?.known.framing, 'length');
  assert.equal(read(OK, 'Transfer-Encoding: Chunked')?.known.framing, 'chunks');
  assert.equal(read('HTTP/1.1 200')?.known.framing, 'connection');
});
