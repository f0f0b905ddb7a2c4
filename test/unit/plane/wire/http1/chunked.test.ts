import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { ChunkedBody } from '../../../../../src/plane/wire/http1/chunked.ts';

interface Taken {
  readonly data: string;
  readonly outcome: 'open' | 'ended' | 'broken';
  /** What was not read. */
  readonly rest: string;
  readonly pieces: number;
}

/** Takes a body apart that comes in these parts. */
function take(...parts: readonly string[]): Taken {
  const body = new ChunkedBody();
  let data = '';
  let pieces = 0;
  let rest = '';
  for (const part of parts) {
    const bytes = Buffer.from(part, 'latin1');
    let at = 0;
    while (at < bytes.length && !body.isEnded && !body.isBroken) {
      at = body.read(bytes, at);
      if (body.end === body.start) continue;
      data += bytes.toString('latin1', body.start, body.end);
      pieces++;
    }
    rest += bytes.toString('latin1', at);
  }
  return { data, outcome: body.isBroken ? 'broken' : body.isEnded ? 'ended' : 'open', rest, pieces };
}

test('a chunked body ends behind its last line, and not before', () => {
  const bytes = '5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-Late: 1\r\n\r\n';
  assert.deepEqual(take(`${bytes}GET /`), { data: 'hello!', outcome: 'ended', rest: 'GET /', pieces: 1 });
  for (let end = 0; end < bytes.length; end++) assert.equal(take(bytes.slice(0, end)).outcome, 'open', `${end}`);
});

test('sizes may have up to 8 digits, in either case', () => {
  assert.equal(take(`0000000A\r\n${'x'.repeat(10)}\r\n00000000\r\n\r\n`).outcome, 'ended');
  assert.equal(take('fFfFfFfF\r\nx').outcome, 'open');
  assert.equal(take('000000001\r\n').outcome, 'broken');
});

test('small chunks that came together are told together, and large ones as they are', () => {
  const small = '1\r\na\r\n'.repeat(1_000);
  assert.deepEqual(take(`${small}0\r\n\r\n`), { data: 'a'.repeat(1_000), outcome: 'ended', rest: '', pieces: 1 });
  const large = `2000\r\n${'b'.repeat(8_192)}\r\n`;
  const mixed = take(`${large}${small}${large}0\r\n\r\n`);
  assert.deepEqual([mixed.pieces, mixed.data.length], [2, 17_384]);
});

describe('a body that is not framed as it must be (RFC 9112 section 7.1) is broken', () => {
  // oxfmt-ignore
  const BROKEN: Readonly<Record<string, string>> = {
    'no size': '\r\n',
    'a size in other letters': 'g\r\n',
    'a size with 0x': '0x1\r\na',
    'a size with a sign': '+1\r\na',
    'a negative size': '-1\r\na',
    'a size with a space before it': ' 1\r\na',
    'a size with a space behind it': '1 \r\na',
    'a size with a space before its extension': '1 ;a\r\na',
    'a size with nine digits': '000000001\r\na',
    'a bare LF behind the size': '1\na\r\n',
    'a bare CR behind the size': '1\ra\r\n',
    'a bare LF behind the data': '1\r\na\n0\r\n\r\n',
    'more data than it says': '1\r\nab\r\n',
    'less data than it says': '3\r\na\r\n0\r\n\r\n',
    'an extension with a LF': '1;a=\n\r\na',
    'an extension with a control': '1;a=\x01\r\na',
    'an extension without a name': '1;\r\na\r\n',
    'an extension with a space': '1; a\r\na\r\n',
    'an extension whose text does not end': '1;a="\r\na\r\n',
    'an extension behind which another should be': '1;a;\r\na\r\n',
    'an extension without end': `1;${'a'.repeat(9_000)}`,
    'extensions without end': `1;${'a'.repeat(90)}\r\na\r\n`.repeat(100),
    'a trailer without a colon': '0\r\nabc\r\n\r\n',
    'a trailer without a name': '0\r\n: a\r\n\r\n',
    'a trailer with a space before its colon': '0\r\na : b\r\n\r\n',
    'a folded trailer': '0\r\na: b\r\n c\r\n\r\n',
    'a trailer with a NUL': '0\r\na: b\0\r\n\r\n',
    'a trailer with a bare LF': '0\r\na: b\n\r\n',
    'a trailer with a bare CR': '0\r\na: b\rc\r\n\r\n',
    'a trailer that says a length': '0\r\nContent-Length: 5\r\n\r\n',
    'a trailer that says a coding': '0\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n',
    'trailers without end': `0\r\n${'a: b\r\n'.repeat(3_000)}`,
    'a bare LF at the end': '0\r\n\n',
    'a bare CR at the end': '0\r\n\rx',
  };
  for (const [sentence, bytes] of Object.entries(BROKEN)) {
    it(sentence, () => {
      assert.equal(take(bytes).outcome, 'broken');
      assert.equal(take(...bytes.split('')).outcome, 'broken', 'byte by byte');
    });
  }
});

test('however it is chopped, a body comes to the same', () => {
  const chunk = fc
    .tuple(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), fc.constantFrom('', ';a', ';a="b c"'))
    .map(([data, extension]) => ({ data, bytes: `${data.length.toString(16)}${extension}\r\n${data}\r\n` }));
  const end = fc.constantFrom('0\r\n\r\n', '00;x\r\n\r\n', '0\r\nA: b\r\nC:\r\n\r\n');
  fc.assert(
    fc.property(fc.array(chunk), end, fc.array(fc.nat(400)), (chunks, last, cuts) => {
      const bytes = `${chunks.map((each) => each.bytes).join('')}${last}rest`;
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
      const parts = places.slice(1).map((place, i) => bytes.slice(places[i], place));
      const { data, outcome, rest } = take(...parts);
      assert.deepEqual([data, outcome, rest], [chunks.map((each) => each.data).join(''), 'ended', 'rest']);
    }),
  );
});
