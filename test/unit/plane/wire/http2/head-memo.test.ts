import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { RawFields } from '../../../../../src/credential/read.ts';
import { NamesInBlocks } from '../../../../../src/plane/wire/http2/block-walk.ts';
import { BlockMemo } from '../../../../../src/plane/wire/http2/head-memo.ts';
import { HpackDecoder, type DecodedBlock } from '../../../../../src/plane/wire/http2/hpack/decoder.ts';
import { anyForms, blockOf, type FieldForm } from '../../../../support/hpack-forms.ts';

const VARYING = ['grpc-timeout', 'traceparent', 'content-length', 'date', 'x-b3-traceid'];
const NAMES = new NamesInBlocks(VARYING);
const LIMITS = { maxHeaders: 20, maxHeaderBytes: 2_000 };

type Pairs = readonly (readonly [name: string, value: string])[];

/** Reads blocks as a connection does: what it remembers of a head are the fields that do not vary. */
class Reader {
  readonly memo = new BlockMemo<RawFields>(NAMES, LIMITS);
  readonly #decoder = new HpackDecoder(LIMITS);
  hits = 0;

  constructor() {
    this.#decoder.dropTable();
  }

  read(bytes: Buffer): { steady: RawFields; varying: RawFields } | Exclude<DecodedBlock, string[]> {
    // Bytes are the memo's only until it returns.
    const block = Buffer.from(bytes);
    const found = this.memo.lookup(block);
    if (found !== undefined) {
      this.hits += 1;
      block.fill(0);
      return { steady: found.value, varying: found.varying };
    }
    const fields = this.#decoder.decode(block);
    if (typeof fields === 'string') return fields;
    const divided = divide(fields);
    this.memo.remember(block, fields, divided.steady);
    block.fill(0);
    return divided;
  }
}

function divide(fields: RawFields): { steady: RawFields; varying: RawFields } {
  const steady: string[] = [];
  const varying: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    (VARYING.includes(name) ? varying : steady).push(name, fields[i + 1] ?? '');
  }
  return { steady, varying };
}

function decodeWhole(block: Buffer): ReturnType<Reader['read']> {
  const decoder = new HpackDecoder(LIMITS);
  decoder.dropTable();
  const fields = decoder.decode(block);
  return typeof fields === 'string' ? fields : divide(fields);
}

const plain = (...fields: Pairs): Buffer => blockOf(fields.map(([name, value]) => ({ name, value })));
const HEAD: Pairs = [
  [':method', 'POST'],
  [':path', '/v1/traces'],
  ['authorization', 'Bearer one'],
];

/** A reader that has read this block twice. */
function readerOf(...blocks: readonly Buffer[]): Reader {
  const reader = new Reader();
  for (const block of [...blocks, ...blocks]) reader.read(block);
  return reader;
}

function assertHits(reader: Reader, block: Buffer, expected: boolean, why = 'as decoded'): void {
  const before = reader.hits;
  assert.deepEqual(reader.read(block), decodeWhole(block), why);
  assert.equal(reader.hits - before, expected ? 1 : 0, why);
}

describe('a head', () => {
  it('is remembered when it comes for the second time', () => {
    const reader = new Reader();
    for (const expected of [false, false, true, true]) assertHits(reader, plain(...HEAD), expected);
    assert.equal(reader.memo.size, 1);
  });

  it('is the same whatever its varying fields say', () => {
    const say = (timeout: string, length: string): Buffer =>
      plain(...HEAD, ['grpc-timeout', timeout], ['te', 'trailers'], ['content-length', length]);
    const reader = readerOf(say('10S', '5'));
    assertHits(reader, say('9999955u', '100000'), true);
    assert.deepEqual(reader.memo.lookup(say('', '\x80 x'))?.varying, ['grpc-timeout', '', 'content-length', '\x80 x']);
  });

  it('has varying fields in every spelling', () => {
    const fields = [...HEAD, ['grpc-timeout', '1S'], ['content-length', '1'], ['date', 'now']] as const;
    for (const form of ['without indexing', 'never indexed', 'with indexing'] as const) {
      for (const byIndex of [true, false]) {
        for (const codesName of [true, false]) {
          for (const codesValue of [true, false]) {
            const say = (last: string): Buffer =>
              blockOf(
                fields.map(([name, value], i) => ({
                  name,
                  value: i < HEAD.length ? value : value + last,
                  form,
                  byIndex,
                  codesName,
                  codesValue,
                })),
              );
            assertHits(readerOf(say('1')), say('22'), true);
          }
        }
      }
    }
  });

  it('is one of many on its connection', () => {
    const heads = Array.from({ length: 50 }, (_, i) =>
      plain(...HEAD, ['x-tenant', String(i)], ['grpc-timeout', `${i}S`]),
    );
    const reader = readerOf(...heads);
    assert.equal(reader.memo.size, 50);
    for (const head of [...heads, ...heads.toReversed()]) assertHits(reader, head, true);
  });
});

describe('a head is not taken for another one', () => {
  it('that differs in a credential only, be it by a bit', () => {
    const block = plain(...HEAD, ['grpc-timeout', '1S'], ['x-api-key', 'secret']);
    const reader = readerOf(block);
    for (let at = 0; at < block.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const other = Buffer.from(block);
        other[at] = (other[at] as number) ^ (1 << bit);
        const found = reader.memo.lookup(other);
        if (found === undefined) continue;
        assert.deepEqual({ steady: found.value, varying: found.varying }, decodeWhole(other));
        assert.equal(found.value.at(-1), 'secret');
      }
    }
  });

  it('whose credential stands where that one has a varying field', () => {
    const timeout = ['grpc-timeout', '1S'] as const;
    const reader = readerOf(
      plain(...HEAD, timeout, ['x-api-key', 'abc']),
      plain(...HEAD, ['x-api-key', 'abc'], timeout),
    );
    assert.equal(reader.memo.size, 2);
    for (const key of ['abd', 'grpc-timeout', '\x00\x0cgrpc-timeout\x011\x00\x09x-api-key\x03abc']) {
      assertHits(reader, plain(...HEAD, timeout, ['x-api-key', key]), false, key);
      assertHits(reader, plain(...HEAD, ['x-api-key', key], timeout), false, key);
    }
  });

  it('when two have the same hash', () => {
    const say = (key: string): Buffer => plain(...HEAD, ['x-api-key', key]);
    const [one, other] = ['00yki6', '001ya8'].map(say) as [Buffer, Buffer]; // found by trying
    assert.equal(fnv1a(one), fnv1a(other));
    const reader = readerOf(one);
    assertHits(reader, other, false);
    assertHits(reader, one, true);
    assertHits(reader, other, false);
  });
});

function fnv1a(bytes: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

describe('what is decoded each time', () => {
  const neverRemembered = (block: Buffer, why: string): void => {
    const reader = new Reader();
    for (let i = 0; i < 4; i++) assertHits(reader, block, false, why);
    assert.equal(reader.memo.size, 0, why);
  };

  it('is a head with a varying field twice', () => {
    neverRemembered(plain(...HEAD, ['grpc-timeout', '1S'], ['grpc-timeout', '2S']), 'plain');
    const coded: FieldForm[] = [
      { name: 'content-length', value: '1', byIndex: true },
      { name: 'content-length', value: '2', codesName: true },
    ];
    neverRemembered(Buffer.concat([plain(...HEAD), blockOf(coded)]), 'in two spellings');
  });

  it('is a head with a varying field before a pseudo-header field', () => {
    const pseudo: FieldForm[] = [
      { name: ':path', value: '/' },
      { name: ':path', value: '/', byIndex: true },
      { name: ':path', value: '/', codesName: true },
      { name: ':strange', value: '/', codesName: true },
      { name: ':strange', value: '/' },
    ];
    for (const field of pseudo) {
      neverRemembered(blockOf([{ name: 'grpc-timeout', value: '1S' }, field]), JSON.stringify(field));
    }
    neverRemembered(Buffer.concat([plain(['grpc-timeout', '1S']), Buffer.from([0x82])]), ':method GET');
  });

  it('is a head that refers to the dynamic table, or changes its size', () => {
    for (const bytes of [
      [0xbe],
      [0xff, 0],
      [0x7e, 1, 0x61],
      [0x7f, 0, 1, 0x61],
      [0x0f, 0x2f, 1, 0x61],
      [0x21],
      [0x80],
    ]) {
      const reader = new Reader();
      const block = Buffer.concat([plain(...HEAD), Buffer.from(bytes)]);
      for (let i = 0; i < 3; i++) assert.equal(reader.read(block), 'compression_error');
    }
    const reader = new Reader();
    const sizeZero = Buffer.concat([Buffer.from([0x20]), plain(...HEAD)]);
    for (const expected of [false, false, true]) assertHits(reader, sizeZero, expected);
  });

  it('is a head whose varying field may not be as it is', () => {
    const say = (timeout: string): Buffer => plain(...HEAD, ['grpc-timeout', timeout]);
    const reader = readerOf(say('1S'));
    for (const value of ['1\r\nx-tenant: 2', 'a\nb', 'a\0b', ' a', 'a ', '\ta', 'a\t', '\x7f']) {
      assertHits(reader, say(value), false, JSON.stringify(value));
    }
    assertHits(reader, say('a\tb \xff'), true);
  });

  it('is a head whose varying fields make it too large', () => {
    const say = (length: number): Buffer => plain(...HEAD, ['traceparent', 'a'.repeat(length)]);
    const reader = readerOf(say(1));
    const room = LIMITS.maxHeaderBytes - [...HEAD, ['traceparent', '']].flat().join('').length - 32 * (HEAD.length + 1);
    assertHits(reader, say(room), true);
    assertHits(reader, say(room + 1), false);
    assert.equal(reader.read(say(room + 1)), 'too_large');
  });

  it('is a head that says its strings are longer than it is', () => {
    const block = plain(...HEAD, ['grpc-timeout', '1S'], ['x-api-key', 'abc']);
    const reader = readerOf(block);
    for (let end = 1; end < block.length; end++) {
      const cut = block.subarray(0, end);
      assert.deepEqual(reader.read(cut), decodeWhole(cut));
    }
    for (const at of [block.indexOf('1S') - 1, block.indexOf('abc') - 1]) {
      for (const length of [4, 50, 0x7e, 0x7f, 0x80, 0xff]) {
        const lying = Buffer.from(block);
        lying[at] = length;
        assertHits(reader, lying, false);
      }
    }
  });

  it('is a long one', () => {
    neverRemembered(plain(...HEAD, ['x-long', 'a'.repeat(1_800)], ['x', 'b'.repeat(3_000)]), 'long');
  });
});

describe('what is remembered of a connection', () => {
  it('has a bound however many heads come, and the last of them are in it', () => {
    const reader = new Reader();
    for (let i = 0; i < 2_000; i++) {
      const head = plain(['x', String(i)]);
      for (const expected of [false, false, true]) assertHits(reader, head, expected);
      assert.ok(reader.memo.size <= 256);
    }
    assertHits(reader, plain(['x', '1990']), true);
    assertHits(reader, plain(['x', '100']), false);
  });

  it('has a bound however long the heads are', () => {
    const reader = new Reader();
    for (let i = 0; i < 200; i++) {
      const head = plain(['x', `${i} ${'a'.repeat(1_000)}`], ['traceparent', 'b'.repeat(500)]);
      for (let again = 0; again < 3; again++) reader.read(head);
    }
    assert.ok(reader.memo.size <= (64 * 1_024) / 2_000);
    assert.ok(reader.memo.size > 20);
  });

  it('is nothing of a head that does not come again', () => {
    const reader = new Reader();
    for (let i = 0; i < 1_000; i++) reader.read(plain(...HEAD, ['x-now', String(i)]));
    assert.equal(reader.memo.size, 0);
  });
});

describe('any blocks', () => {
  const varyingField = fc.tuple(fc.constantFrom(...VARYING), fc.stringMatching(/^[0-9a-z]{0,12}$/));
  const someField = fc.tuple(
    fc.constantFrom(':path', 'te', 'x-api-key', 'authorization', 'grpc-timeou', 'content-lengths', 'x'),
    fc.constantFrom('', 'a', 'grpc-timeout', 'b'.repeat(140)),
  );
  const head = fc.array(fc.oneof(varyingField, someField), { minLength: 1, maxLength: 8 }).chain(anyForms).map(blockOf);
  const change = fc.record({
    which: fc.nat(),
    at: fc.nat(),
    what: fc.constantFrom('nothing', 'nothing', 'byte', 'byte', 'cut', 'insert', 'remove'),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x20, 0x80, 0x82, 0x3a, 0x7f, 0xff)),
  });

  it('are read as if nothing were remembered', () => {
    let hits = 0;
    fc.assert(
      fc.property(
        fc.array(head, { minLength: 1, maxLength: 4 }),
        fc.array(change, { maxLength: 30 }),
        (heads, changes) => {
          const reader = readerOf(...heads);
          for (const { which, at, what, byte } of changes) {
            const whole = heads[which % heads.length] ?? Buffer.alloc(0);
            const place = at % whole.length;
            const [before, after] = [whole.subarray(0, place), whole.subarray(place)];
            const one = Buffer.from([byte]);
            const block = {
              nothing: whole,
              byte: Buffer.concat([before, one, after.subarray(1)]),
              cut: before,
              insert: Buffer.concat([before, one, after]),
              remove: Buffer.concat([before, after.subarray(1)]),
            }[what];
            assert.deepEqual(reader.read(block), decodeWhole(block));
          }
          hits += reader.hits;
        },
      ),
      { numRuns: 1_000 },
    );
    assert.ok(hits > 300, `${hits} were remembered`);
  });
});
