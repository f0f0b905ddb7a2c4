import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  connectionWindowBytes,
  ReceiveWindow,
  STREAM_WINDOW_BYTES,
} from '../../../../../src/plane/wire/http2/windows.ts';

describe('what the other side may send', () => {
  it('is announced anew when half of it is done with', () => {
    const window = new ReceiveWindow(1_000);
    assert.equal(window.take(600), true);
    assert.deepEqual([window.give(499), window.give(1), window.give(100)], [0, 500, 0]);
  });

  it('is all of it again when all that came is done with', () => {
    const window = new ReceiveWindow(1_000);
    window.take(900);
    assert.equal(window.give(100), 0);
    assert.equal(window.giveAll(), 900);
    assert.equal(window.giveAll(), 0);
    assert.equal(window.take(1_000), true);
  });

  it('is never exceeded unseen, and never runs dry while everything is done with', () => {
    const steps = fc.array(fc.record({ take: fc.nat(400), give: fc.nat(400) }), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (all) => {
        const window = new ReceiveWindow(1_000);
        let announced = 1_000;
        let held = 0;
        for (const { take, give } of all) {
          const took = Math.min(take, announced);
          assert.equal(window.take(took), true);
          announced -= took;
          held += took;
          const gave = Math.min(give, held);
          held -= gave;
          announced += window.give(gave);
          assert.ok(announced + held <= 1_000);
          if (held === 0) assert.ok(announced > 500);
        }
        assert.equal(window.take(announced + 1), false);
      }),
    );
  });

  it('is so much for a connection that its streams do not use up each other’s share', () => {
    assert.equal(connectionWindowBytes(100), 100 * STREAM_WINDOW_BYTES);
    assert.equal(connectionWindowBytes(1_000_000), 2 ** 31 - 1);
  });
});
