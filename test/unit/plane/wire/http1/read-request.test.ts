import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { isHopeless, readRequest } from '../../../../../src/plane/wire/http1/read-request.ts';
import type { HeadRules, ReadRequest, RequestLines } from '../../../../../src/plane/wire/http1/read-request.ts';
import { createIsVarying } from '../../../../../src/plane/wire/varying.ts';

const RULES: HeadRules = {
  isVarying: createIsVarying(['x-api-key'], undefined),
  limits: { maxHeaders: 20, maxHeaderBytes: 2_000 },
};

function read(line: string, fields: readonly string[], rules = RULES): ReadRequest {
  const bytes = Buffer.from([line, ...fields, '', ''].join('\r\n'), 'latin1');
  return readRequest(bytes, 0, bytes.length, rules);
}

function served(result: ReadRequest): RequestLines {
  assert.ok(typeof result === 'object' && 'closes' in result, JSON.stringify(result));
  return result;
}

const LINE = 'POST /v1/traces HTTP/1.1';
const HOST = 'Host: gateway';

/** Fields beside Host, unless the line is what is wrong. */
// oxfmt-ignore
const REFUSED: readonly (readonly [section: string, sentence: string, fields: readonly string[], line?: string])[] = [
  ['RFC 9112 2.2', 'a bare CR in a value', [HOST, 'a: b\rc']],
  ['RFC 9112 2.2', 'a bare LF in a value', [HOST, 'a: b\nc: d']],
  ['RFC 9112 2.2', 'a line that ends with LF', [HOST, 'a: b\nContent-Length: 0']],
  ['RFC 9112 2.2', 'a space before the first field', [' a: b', HOST]],
  ['RFC 9112 3', 'two spaces behind the method', [], 'POST  /v1/traces HTTP/1.1'],
  ['RFC 9112 3', 'a tab behind the method', [], 'POST\t/v1/traces HTTP/1.1'],
  ['RFC 9112 3', 'a space behind the version', [], 'POST /v1/traces HTTP/1.1 '],
  ['RFC 9112 3', 'a fourth word', [], 'POST /v1/traces HTTP/1.1 x'],
  ['RFC 9112 3', 'no version', [], 'POST /v1/traces'],
  ['RFC 9112 3', 'no target', [], 'POST  HTTP/1.1'],
  ['RFC 9112 3', 'only a word', [], 'nonsense'],
  ['RFC 9112 3', 'a space before the method', [], ' POST /v1/traces HTTP/1.1'],
  ['RFC 9112 3.1', 'a method that is no token', [], 'PO(ST /v1/traces HTTP/1.1'],
  ['RFC 9112 3.2', 'a control in the target', [], 'POST /v1/tra\x01ces HTTP/1.1'],
  ['RFC 9112 3.2', 'a tab in the target', [], 'POST /v1/tra\tces HTTP/1.1'],
  ['RFC 9112 3.2', 'a byte beyond ASCII in the target', [], 'POST /v1/traces\x80 HTTP/1.1'],
  ['RFC 9112 3.2', 'no Host', []],
  ['RFC 9112 3.2', 'two hosts', [HOST, 'Host: other']],
  ['RFC 9112 3.2', 'the same host twice', [HOST, HOST]],
  ['RFC 9112 3.2', 'a list of hosts', ['Host: a, b']],
  ['RFC 9112 3.2', 'a host with a path', ['Host: a/b']],
  ['RFC 9112 3.2', 'a host with a user', ['Host: a@b']],
  ['RFC 9112 2.3', 'HTTP/1.2', [], 'POST /v1/traces HTTP/1.2'],
  ['RFC 9112 2.3', 'HTTP/2.0', [], 'POST /v1/traces HTTP/2.0'],
  ['RFC 9112 2.3', 'HTTP/1.10', [], 'POST /v1/traces HTTP/1.10'],
  ['RFC 9112 2.3', 'http in small letters', [], 'POST /v1/traces http/1.1'],
  ['RFC 9112 5.1', 'a space before the colon', [HOST, 'Content-Length : 0']],
  ['RFC 9112 5.1', 'a tab before the colon', [HOST, 'Content-Length\t: 0']],
  ['RFC 9112 5.1', 'no name', [HOST, ': b']],
  ['RFC 9112 5.1', 'no colon', [HOST, 'a b']],
  ['RFC 9110 5.1', 'a name that is no token', [HOST, 'a(b): c']],
  ['RFC 9110 5.1', 'a name beyond ASCII', [HOST, 'n\xe4me: c']],
  ['RFC 9110 5.5', 'a NUL in a value', [HOST, 'a: b\0']],
  ['RFC 9110 5.5', 'a control in a value', [HOST, 'a: b\x1bc']],
  ['RFC 9110 5.5', 'a DEL in a value', [HOST, 'a: b\x7f']],
  ['RFC 9112 5.2', 'a folded value', [HOST, 'a: b', ' c']],
  ['RFC 9112 5.2', 'a value folded with a tab', [HOST, 'a: b', '\tc']],
  ['RFC 9112 6.1', 'a coding other than chunked', [HOST, 'Transfer-Encoding: gzip']],
  ['RFC 9112 6.1', 'a coding before chunked', [HOST, 'Transfer-Encoding: gzip, chunked']],
  ['RFC 9112 6.1', 'a coding behind chunked', [HOST, 'Transfer-Encoding: chunked, identity']],
  ['RFC 9112 6.1', 'chunked twice in a line', [HOST, 'Transfer-Encoding: chunked, chunked']],
  ['RFC 9112 6.1', 'chunked in two lines', [HOST, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
  ['RFC 9112 6.1', 'chunked with a parameter', [HOST, 'Transfer-Encoding: chunked;q=1']],
  ['RFC 9112 6.1', 'chunked in quotes', [HOST, 'Transfer-Encoding: "chunked"']],
  ['RFC 9112 6.1', 'chunked and an empty element', [HOST, 'Transfer-Encoding: chunked,']],
  ['RFC 9112 6.1', 'a vertical tab before chunked', [HOST, 'Transfer-Encoding: \x0bchunked']],
  ['RFC 9112 6.1', 'no-break space before chunked', [HOST, 'Transfer-Encoding: \xa0chunked']],
  ['RFC 9112 6.1', 'no coding', [HOST, 'Transfer-Encoding:']],
  ['RFC 9112 6.2', 'a length and chunks', [HOST, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
  ['RFC 9112 6.2', 'chunks and a length', [HOST, 'Transfer-Encoding: chunked', 'Content-Length: 5']],
  ['RFC 9112 6.3', 'two lengths that differ', [HOST, 'Content-Length: 5', 'Content-Length: 6']],
  ['RFC 9112 6.3', 'two lengths that agree', [HOST, 'Content-Length: 5', 'content-length: 5']],
  ['RFC 9110 8.6', 'a list of lengths', [HOST, 'Content-Length: 5, 5']],
  ['RFC 9110 8.6', 'no length', [HOST, 'Content-Length:']],
  ['RFC 9110 8.6', 'a length with a sign', [HOST, 'Content-Length: +5']],
  ['RFC 9110 8.6', 'a negative length', [HOST, 'Content-Length: -5']],
  ['RFC 9110 8.6', 'a hexadecimal length', [HOST, 'Content-Length: 0x5']],
  ['RFC 9110 8.6', 'a length with a fraction', [HOST, 'Content-Length: 5.0']],
  ['RFC 9110 8.6', 'a length with an exponent', [HOST, 'Content-Length: 1e3']],
  ['RFC 9110 8.6', 'a length with a space within', [HOST, 'Content-Length: 5 5']],
  ['RFC 9110 8.6', 'digits of another script', [HOST, 'Content-Length: \xb2']],
  ['RFC 9110 8.6', 'a length with 16 digits', [HOST, 'Content-Length: 0000000000000005']],
];

describe('a head that two readers may read differently is refused', () => {
  for (const [section, sentence, fields, line] of REFUSED) {
    it(`${sentence} (${section})`, () => {
      const result = read(line ?? LINE, line === undefined ? fields : [HOST, ...fields]);
      assert.ok(typeof result === 'object' && 'objection' in result, JSON.stringify(result));
      assert.equal(result.objection, 'bad_request');
    });
  }

  it('with what could be read of it, if its lines can be read at all', () => {
    const framing = read(LINE, [HOST, 'Content-Type: application/json', 'Content-Length: 5, 5']);
    assert.deepEqual(framing, {
      objection: 'bad_request',
      method: 'POST',
      target: '/v1/traces',
      fields: ['host', 'gateway', 'content-type', 'application/json', 'content-length', '5, 5'],
    });
    const line = read(LINE, [HOST, 'broken header']);
    assert.deepEqual(line, { objection: 'bad_request', method: '', target: '', fields: [] });
  });
});

test('a head with too many fields, or too long ones, is beyond the limits', () => {
  const many = Array.from({ length: 21 }, (_, i) => `a${i}: b`);
  for (const fields of [many, [`a: ${'b'.repeat(2_000)}`]]) {
    const result = read(LINE, [HOST, ...fields]);
    assert.ok(typeof result === 'object' && 'objection' in result && result.objection === 'header_limits');
  }
});

// oxfmt-ignore
const ELSEWHERE: readonly (readonly [sentence: string, line: string, fields?: readonly string[]])[] = [
  ['HTTP/1.0', 'POST /v1/traces HTTP/1.0'],
  ['an absolute target', 'POST http://gateway/v1/traces HTTP/1.1'],
  ['an asterisk', 'OPTIONS * HTTP/1.1'],
  ['an authority', 'CONNECT gateway:4317 HTTP/1.1'],
  ['OPTIONS', 'OPTIONS /v1/traces HTTP/1.1'],
  ['DELETE', 'DELETE /v1/traces HTTP/1.1'],
  ['an unknown method', 'BREW /v1/traces HTTP/1.1'],
  ['a method in small letters', 'post /v1/traces HTTP/1.1'],
  ['an upgrade', LINE, ['Connection: Upgrade', 'Upgrade: h2c']],
  ['an upgrade that Connection does not name', LINE, ['Upgrade: websocket']],
  ['another expectation', LINE, ['Expect: unicorns']],
  ['a list of expectations', LINE, ['Expect: 100-continue, unicorns']],
  ['two expectations', LINE, ['Expect: 100-continue', 'Expect: 100-continue']],
  ['a Connection that names a field', LINE, ['Connection: keep-alive, traceparent']],
  ['a Connection that names the length', LINE, ['Connection: content-length', 'Content-Length: 5']],
];

describe('a head that is legal and unusual is left to the library plane', () => {
  for (const [sentence, line, fields = []] of ELSEWHERE) {
    it(sentence, () => assert.equal(read(line, [HOST, ...fields]), 'elsewhere'));
  }

  it('but not if it is doubtful besides', () => {
    for (const fields of [[HOST, 'Content-Length: 1', 'Transfer-Encoding: chunked'], [], [HOST, HOST]]) {
      assert.ok(typeof read('DELETE /v1/traces HTTP/1.1', fields) === 'object');
    }
  });
});

describe('a head that is served', () => {
  it('says its fields in lower case, without the blanks around their values', () => {
    const result = served(read(LINE, [HOST, 'X-A:b', 'X-B: \t b c \t', 'X-C:', 'X-D: \xe4']));
    assert.deepEqual(result.fields, ['host', 'gateway', 'x-a', 'b', 'x-b', 'b c', 'x-c', '', 'x-d', '\xe4']);
    assert.deepEqual([result.method, result.target, result.bodyLength], ['POST', '/v1/traces', 0]);
  });

  it('has a body of the length it says, or in chunks', () => {
    assert.equal(served(read(LINE, [HOST, 'Content-Length: 0123'])).bodyLength, 123);
    assert.equal(served(read(LINE, [HOST, 'content-length:\t5 '])).bodyLength, 5);
    assert.equal(served(read(LINE, [HOST, 'transfer-encoding:\tChunked '])).bodyLength, undefined);
  });

  it('says apart what varies; never a credential', () => {
    const rules = { ...RULES, isVarying: createIsVarying(['X-Request-Id'], 'baggage') };
    const lines = ['traceparent: 00-1', 'X-Request-Id: r', 'baggage: b', 'Content-Length: 5'];
    const result = served(read(LINE, [HOST, ...lines], rules));
    assert.deepEqual(result.varying, ['traceparent', '00-1']);
    assert.deepEqual(result.fields, ['host', 'gateway', 'x-request-id', 'r', 'baggage', 'b']);
  });

  it('says whether its connection ends, and whether its sender waits', () => {
    const said = (...fields: string[]): [boolean, boolean] => {
      const { closes, expectsContinue } = served(read(LINE, [HOST, ...fields]));
      return [closes, expectsContinue];
    };
    assert.deepEqual(said(), [false, false]);
    assert.deepEqual(said('Connection: Keep-Alive,'), [false, false]);
    assert.deepEqual(said('Connection: keep-alive, CLOSE'), [true, false]);
    assert.deepEqual(said('Connection: keep-alive', 'Connection: close'), [true, false]);
    assert.deepEqual(said('Expect: 100-Continue'), [false, true]);
  });
});

test('a head that is not whole can be seen to be none by a bare line feed, or a control', () => {
  const hopeless = (text: string): boolean => isHopeless(Buffer.from(text, 'latin1'), 0, 0);
  assert.ok(!hopeless('POST / HTTP/1.1\r\nHost: x\r'));
  assert.ok(!hopeless('POST / HTTP/1.1\r\nX: \t\x80\r\n'));
  assert.ok(hopeless('POST / HTTP/1.1\nHost: x\n\n'));
  assert.ok(hopeless('POST / HTTP/1.1\r\nHost: x\r\n\n'.replace('\r\n\n', '\n')));
  assert.ok(hopeless('\x16\x03\x01\x02\x00'), 'TLS on a plain port');
  assert.ok(hopeless('\n'));
  assert.ok(isHopeless(Buffer.from('\r\n\n'), 2, 2));
});
