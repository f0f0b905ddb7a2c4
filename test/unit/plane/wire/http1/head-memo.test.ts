import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeadMemo } from '../../../../../src/plane/wire/http1/head-memo.ts';
import { readRequest } from '../../../../../src/plane/wire/http1/read-request.ts';
import type { HeadRules, RequestLines } from '../../../../../src/plane/wire/http1/read-request.ts';
import { createIsVarying } from '../../../../../src/plane/wire/varying.ts';

const RULES: HeadRules = {
  isVarying: createIsVarying([], undefined),
  limits: { maxHeaders: 20, maxHeaderBytes: 2_000 },
};

interface Seen {
  readonly fields: readonly string[];
  readonly varying: readonly string[];
  readonly length: number | undefined;
  readonly end: number;
}

/** Reads heads as a connection does: from memory if it can. */
function createReader() {
  const memo = new HeadMemo<RequestLines>({ listsLength: false });
  let recalled = 0;
  return {
    recalled: () => recalled,
    read(bytes: Buffer): Seen | undefined {
      const known = memo.find(bytes, 0);
      if (known !== undefined) {
        recalled++;
        return { fields: known.fields, varying: memo.varying, length: memo.length, end: memo.end };
      }
      const { seen, read } = readInFull(bytes);
      if (read !== undefined) memo.add(bytes, 0, bytes.length, read.varyingPlaces, read.maxVaryingBytes, read);
      return seen;
    },
  };
}

function readInFull(bytes: Buffer): { seen: Seen | undefined; read: RequestLines | undefined } {
  const read = readRequest(bytes, 0, bytes.length, RULES);
  if (read === 'elsewhere' || 'objection' in read) return { seen: undefined, read: undefined };
  const { fields, varying } = read;
  const saysLength = /^content-length:/im.test(bytes.toString('latin1'));
  return { read, seen: { fields, varying, length: saysLength ? read.bodyLength : undefined, end: bytes.length } };
}

function head(...lines: readonly string[]): Buffer {
  return Buffer.from(['POST /v1/traces HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n'), 'latin1');
}

test('a head is known again when only varying values differ, and then says the new ones', () => {
  const { read, recalled } = createReader();
  read(head('X-A: b', 'traceparent: 00-1', 'Content-Length: 5', 'X-C: d'));
  const second = read(head('X-A: b', 'traceparent: 00-22', 'Content-Length: 1234', 'X-C: d'));
  assert.deepEqual(second?.varying, ['traceparent', '00-22']);
  assert.deepEqual([second?.length, recalled()], [1_234, 1]);
  read(head('X-A: B', 'traceparent: 00-1', 'Content-Length: 5', 'X-C: d'));
  assert.equal(recalled(), 1);
});

test('whatever is doubtful about a varying value is left to the whole reading', () => {
  const doubtful = [
    'Content-Length: ',
    'Content-Length: +5',
    'Content-Length: 5 ',
    'Content-Length: 5\r',
    'Content-Length: 5, 5',
    'Content-Length: 5\r\n 6',
    'Content-Length: 1234567890123456',
    'traceparent: a\0b',
    'traceparent: a\x7f',
    'traceparent: a\rb',
    'traceparent: a\nb',
    'traceparent: ',
    'traceparent: a ',
    'traceparent:  a',
    `traceparent: ${'a'.repeat(2_000)}`,
  ];
  for (const line of doubtful) {
    const [name = ''] = line.split(':');
    const { read, recalled } = createReader();
    read(head(`${name}: 1`, 'X-C: d'));
    const bytes = head(line, 'X-C: d');
    assert.deepEqual(read(bytes), readInFull(bytes).seen, line);
    assert.equal(recalled(), 0, line);
  }
});

test('a head that is cut anywhere is not known', () => {
  const { read } = createReader();
  const whole = head('traceparent: 00-1', 'Content-Length: 5', 'X-C: d');
  read(whole);
  const memo = new HeadMemo<number>({ listsLength: false });
  const places = readRequest(whole, 0, whole.length, RULES) as RequestLines;
  memo.add(whole, 0, whole.length, places.varyingPlaces, 100, 1);
  for (const bytes of [whole, Buffer.concat([whole, Buffer.from('body')])]) {
    for (let end = 0; end < whole.length; end++)
      assert.equal(memo.find(bytes.subarray(0, end), 0), undefined, `${end}`);
    assert.equal(memo.find(bytes, 0), 1);
    assert.equal(memo.end, whole.length);
  }
});

test('a head that is the same to the last byte says the same list again, until another one came', () => {
  const memo = new HeadMemo<number>({ listsLength: true });
  const one = head('traceparent: 00-1', 'Content-Length: 5');
  const other = head('traceparent: 00-2', 'Content-Length: 5');
  const places = readRequest(one, 0, one.length, RULES) as RequestLines;
  memo.add(one, 0, one.length, places.varyingPlaces, 100, 1);
  assert.equal(memo.find(one, 0), 1);
  const list = memo.varying;
  assert.deepEqual([memo.find(one, 0), memo.varying === list, memo.length], [1, true, 5]);
  assert.equal(memo.find(other, 0), 1);
  assert.deepEqual(memo.varying, ['traceparent', '00-2', 'content-length', '5']);
  assert.equal(memo.find(head('traceparent: 00-1', 'Content-Length: x'), 0), undefined);
  assert.equal(memo.find(one, 0), 1);
  assert.deepEqual([list, memo.varying], [memo.varying, list]);
});

test('it holds 16 heads and 32 KiB of them, and forgets the oldest', () => {
  const find = (memo: HeadMemo<number>, bytes: Buffer): number | undefined => memo.find(bytes, 0);
  const heads = Array.from({ length: 17 }, (_, i) => head(`X-A: ${i}`));
  const memo = new HeadMemo<number>({ listsLength: false });
  for (const [i, bytes] of heads.entries()) memo.add(bytes, 0, bytes.length, [], 0, i);
  assert.deepEqual(
    heads.map((bytes) => find(memo, bytes)),
    [undefined, ...Array.from({ length: 16 }, (_, i) => i + 1)],
  );
  const large = [1, 2, 3, 4].map((i) => head(`X-A: ${i}${'a'.repeat(10_000)}`));
  for (const [i, bytes] of large.entries()) memo.add(bytes, 0, bytes.length, [], 0, i);
  assert.deepEqual(
    large.map((bytes) => find(memo, bytes)),
    [undefined, 1, 2, 3],
  );
  assert.equal(find(memo, heads[16] as Buffer), undefined);
  const huge = head(`X-A: ${'a'.repeat(40_000)}`);
  memo.add(huge, 0, huge.length, [], 0, 9);
  assert.equal(find(memo, huge), undefined);
});

test('whatever heads come one after the other, memory and whole reading say the same', () => {
  const name = fc.constantFrom(
    'X-A',
    'x-b',
    'traceparent',
    'Content-Length',
    'tracestate',
    'X-Request-Id',
    'Connection',
  );
  const value = fc.oneof(
    fc.constantFrom('', '0', '5', '17', ' 5', '5 ', 'a', 'a\tb', 'a\0', 'a\rb', 'chunked', 'close', '\xe4', '5,5'),
    fc.string({ maxLength: 12 }),
  );
  const line = fc.tuple(name, fc.constantFrom(': ', ':', ':\t', ' :'), value).map((parts) => parts.join(''));
  const few = fc.array(fc.array(line, { maxLength: 4 }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(few, fc.array(fc.nat(11), { maxLength: 20 }), (heads, order) => {
      const { read } = createReader();
      for (const index of order) {
        const bytes = head(...(heads[index % heads.length] ?? []));
        // What another head left behind must not show, nor what this one left itself.
        assert.deepEqual(read(bytes), readInFull(bytes).seen);
      }
    }),
    { numRuns: 500 },
  );
});
