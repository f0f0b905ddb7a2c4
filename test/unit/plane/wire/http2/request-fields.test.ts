import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  divide,
  isAsciiMetadata,
  isRegularField,
  readRequestFields,
  readStart,
} from '../../../../../src/plane/wire/http2/request-fields.ts';

const PSEUDO = [':method', 'POST', ':scheme', 'https', ':path', '/v1/traces', ':authority', 'gateway'];
const GRPC = { method: 'POST', isGrpc: true };
const isVarying = (name: string): boolean => name === 'traceparent' || name === 'content-length';

describe('the fields of a request', () => {
  it('are read apart from the pseudo-header fields, in any order of these', () => {
    assert.deepEqual(
      readRequestFields([...PSEUDO.slice(4), ...PSEUDO.slice(0, 4), 'content-type', 'application/grpc+proto']),
      {
        method: 'POST',
        target: '/v1/traces',
        isGrpc: true,
        fields: ['content-type', 'application/grpc+proto'],
      },
    );
  });

  it('are those of gRPC only if their first content-type says so', () => {
    for (const [fields, isGrpc] of [
      [[], false],
      [['content-type', 'application/json'], false],
      [['content-type', 'application/json', 'content-type', 'application/grpc'], false],
    ] as const) {
      assert.equal(readRequestFields([...PSEUDO, ...fields])?.isGrpc, isGrpc);
    }
  });

  it('are none of a request whose host has a user, or is none', () => {
    for (const host of ['', 'user@gateway', 'a b', 'a/b', 'a"b']) {
      assert.equal(readRequestFields([...PSEUDO.slice(0, 6), ':authority', host]), undefined);
      assert.equal(readRequestFields([...PSEUDO.slice(0, 6), 'host', host]), undefined);
    }
    assert.equal(readRequestFields(PSEUDO.slice(0, 6)), undefined);
    assert.equal(readRequestFields([':scheme', 'ht tp', ...PSEUDO.slice(0, 2), ...PSEUDO.slice(4)]), undefined);
  });

  it('are metadata of gRPC only in ASCII', () => {
    assert.deepEqual(
      [
        ['a', 'b\tc'],
        ['a', 'b', 'c', '\u00e4'],
      ].map(isAsciiMetadata),
      [true, false],
    );
  });

  it('are divided into those that are remembered and those of this request, with one cookie', () => {
    const fields = ['cookie', 'a=1', 'x', 'y', 'traceparent', '00', 'cookie', 'b=2', 'cookie', 'c=3'];
    assert.deepEqual(divide(fields, isVarying), {
      steady: ['cookie', 'a=1; b=2; c=3', 'x', 'y'],
      varying: ['traceparent', '00'],
    });
  });

  it('hold nothing that a reader of HTTP/1.1 could take for more than one field', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme-ascii' }),
      fc.constantFrom('te', 'a\r\nb', 'a:'),
    );
    fc.assert(
      fc.property(text, text, (name, value) => {
        if (!isRegularField(name, value)) return;
        assert.doesNotMatch(name, /[^\x21-\x7e]|[:A-Z"(),/;<=>?@[\\\]{}]/);
        assert.doesNotMatch(value, /[\0-\x08\x0a-\x1f\x7f]/);
      }),
    );
  });
});

describe('what a request says beside its head', () => {
  it('is its length, which is not said again, its patience, and fields that go on as they are', () => {
    assert.deepEqual(readStart(['traceparent', '00', 'content-length', '12', 'grpc-timeout', '5S'], GRPC, false), {
      varying: ['traceparent', '00', 'grpc-timeout', '5S'],
      bodyLength: 12,
      timeoutMs: 5_000,
      objection: undefined,
    });
  });

  it('is nothing, mostly', () => {
    const start = { varying: [], timeoutMs: Infinity, objection: undefined };
    assert.deepEqual(readStart([], GRPC, false), { ...start, bodyLength: undefined });
    assert.deepEqual(readStart([], GRPC, true), { ...start, bodyLength: 0 });
    assert.deepEqual(readStart(['content-length', '0'], GRPC, true), { ...start, bodyLength: 0 });
  });

  it('is objected to where it cannot be understood', () => {
    assert.equal(readStart(['grpc-timeout', '5s'], GRPC, false)?.objection, 'bad_request');
    assert.equal(readStart(['grpc-timeout', '5S', 'grpc-timeout', '5S'], GRPC, false)?.objection, 'bad_request');
    assert.equal(readStart([], { method: 'GET', isGrpc: false }, false)?.objection, 'bad_request');
    assert.equal(readStart([], { method: 'GET', isGrpc: false }, true)?.objection, undefined);
    assert.equal(
      readStart(['grpc-timeout', 'nonsense'], { method: 'POST', isGrpc: false }, false)?.objection,
      undefined,
    );
  });

  it('is malformed where it contradicts its end', () => {
    for (const length of ['1', '', '-1', '+1', '0x1', '1,1', ' 1', '1 ', '1e3', '9'.repeat(16)]) {
      assert.equal(readStart(['content-length', length], GRPC, true), undefined, JSON.stringify(length));
    }
    assert.equal(readStart(['content-length', '1', 'content-length', '1'], GRPC, false), undefined);
  });
});
