import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FORGOTTEN, SentBodies } from '../../../../../src/plane/wire/http2/sent-bodies.ts';

describe('bodies that were sent', () => {
  it('are remembered whole, though they came in pieces between those of others', () => {
    const sent = new SentBodies();
    const bodies = Array.from({ length: 5 }, () => ({ from: 0, length: 0, text: '' }));
    for (let i = 0; i < 40; i++) {
      const body = bodies[(i * i) % 5];
      assert.ok(body);
      const piece = Buffer.from(`piece ${i}, `);
      body.from = sent.add(body.from, body.length, piece);
      body.length += piece.length;
      body.text += piece.toString();
    }
    for (const { from, length, text } of bodies) {
      if (length > 0) assert.equal(sent.read(from, length)?.toString(), text);
    }
  });

  it('are forgotten when 2 MiB of others have come since, and not before', () => {
    const sent = new SentBodies();
    const piece = Buffer.alloc(60_000);
    const text = Buffer.from('first');
    const from = sent.add(0, 0, text);
    let bytes = text.length;
    for (; bytes + piece.length <= 2 << 20; bytes += piece.length) sent.add(0, 0, piece);
    assert.deepEqual(sent.read(from, text.length), text);
    sent.add(0, 0, piece);
    assert.equal(sent.read(from, text.length), undefined);
    assert.equal(sent.add(from, text.length, Buffer.from('second')), FORGOTTEN);
  });

  it('are read over the end of their memory', () => {
    const sent = new SentBodies();
    for (let i = 0; i < 70; i++) {
      const body = Buffer.alloc(60_001, `body ${i} `);
      const from = sent.add(0, 0, body);
      assert.ok(sent.read(from, body.length)?.equals(body));
    }
  });

  it('of more than 64 KiB are not remembered', () => {
    const sent = new SentBodies();
    const from = sent.add(0, 0, Buffer.alloc(65_536));
    assert.equal(sent.read(from, 65_536)?.length, 65_536);
    assert.equal(sent.add(from, 65_536, Buffer.alloc(1)), FORGOTTEN);
    assert.equal(sent.add(FORGOTTEN, 65_537, Buffer.alloc(1)), FORGOTTEN);
    assert.equal(sent.read(FORGOTTEN, 65_537), undefined);
  });
});
