import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteQueue } from '../../../../src/plane/wire/byte-queue.ts';

/** As much as `peek` gives at a time. */
function drain(queue: ByteQueue, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  while (queue.length > 0) {
    const part = queue.peek(maxBytes);
    assert.ok(part.length > 0 && part.length <= maxBytes);
    parts.push(Buffer.from(part));
    queue.drop(part.length);
  }
  return Buffer.concat(parts);
}

describe('a queue of bytes', () => {
  it('gives them back in order, in whatever pieces they came and go', () => {
    let state = 7;
    const next = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 50; round++) {
      const queue = new ByteQueue();
      const all: Buffer[] = [];
      const given: Buffer[] = [];
      for (let i = 0; i < 40; i++) {
        const piece = Buffer.alloc(next(next(4) === 0 ? 20_000 : 50), `${round}/${i} `);
        all.push(Buffer.from(piece));
        queue.push(piece);
        piece.fill(0); // valid only during the call
        if (next(3) > 0) continue;
        const part = queue.peek(1 + next(10_000));
        given.push(Buffer.from(part));
        queue.drop(part.length);
      }
      given.push(drain(queue, 1 + next(20_000)));
      assert.ok(Buffer.concat(given).equals(Buffer.concat(all)));
    }
  });

  it('of many pieces of one byte costs little more than these bytes', () => {
    const queue = new ByteQueue();
    const before = process.memoryUsage();
    for (let i = 0; i < 1 << 20; i++) queue.push(Buffer.of(i));
    const after = process.memoryUsage();
    assert.equal(queue.length, 1 << 20);
    assert.ok(after.arrayBuffers - before.arrayBuffers < 4 << 20);
    assert.equal(drain(queue, 1 << 20).length, 1 << 20);
  });

  it('gives all of it at once, and says which piece is the last', () => {
    const queue = new ByteQueue();
    const whole = Buffer.alloc(100_000, 'abc');
    for (let at = 0; at < whole.length; at += 7_000) queue.push(whole.subarray(at, at + 7_000));
    const parts: Buffer[] = [];
    const isLast: boolean[] = [];
    queue.drain((piece, last) => {
      parts.push(Buffer.from(piece));
      isLast.push(last);
    });
    assert.equal(queue.length, 0);
    assert.ok(Buffer.concat(parts).equals(whole));
    assert.equal(isLast.pop(), true);
    assert.ok(!isLast.includes(true));
  });

  it('that is filled and emptied again and again needs no new memory', () => {
    const queue = new ByteQueue();
    const piece = Buffer.alloc(16_384, 1);
    const pass = (): void => {
      for (let i = 0; i < 16; i++) queue.push(piece);
      while (queue.length > 0) queue.drop(queue.peek(16_384).length);
    };
    pass();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1_000; i++) pass();
    assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  });
});
