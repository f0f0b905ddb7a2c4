import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { countItems } from '../../../src/dev/count-items.ts';

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function field(number: number, ...contents: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
}

const span = (bytes: number): Buffer => field(2, Buffer.alloc(bytes, 0xff));
/** A scope's or a resource's other fields: its description, its schema URL, a number, a fixed64 and a fixed32. */
const besides = Buffer.concat([
  field(1, Buffer.from('about')),
  field(3, Buffer.from('url')),
  Buffer.from([0x20, 0x96, 0x01]),
  Buffer.from([0x29, ...Buffer.alloc(8)]),
  Buffer.from([0x35, ...Buffer.alloc(4)]),
]);

describe('counting what is in an OTLP request', () => {
  it('finds nothing in an empty one', () => {
    assert.equal(countItems(Buffer.alloc(0)), 0);
  });

  it('adds up the items of all scopes of all resources', () => {
    const scope = (...spans: Buffer[]): Buffer => field(2, besides, ...spans);
    const request = Buffer.concat([
      field(1, besides, scope(span(1), span(300)), scope(span(0))),
      field(1, scope()),
      field(1, scope(span(5)), besides),
    ]);
    assert.equal(countItems(request), 4);
  });

  it('stops where a message makes no sense', () => {
    const request = field(1, field(2, span(1), Buffer.from([0x0f]), span(1)));
    assert.equal(countItems(request), 1);
    assert.equal(countItems(request.subarray(0, -1)), 0);
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => Number.isInteger(countItems(Buffer.from(bytes)))),
    );
  });
});
