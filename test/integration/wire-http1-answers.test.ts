import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import type { UpstreamCall } from '../../src/plane/wire/upstream-call.ts';
import { onwardRequest, RecordingCaller } from '../support/caller.ts';
import { EMPTY, over, startPool } from '../support/http1-upstream.ts';
import { stillness, until } from '../support/wait.ts';

describe('an answer of the collector over HTTP/1.1', () => {
  const answered = async (t: TestContext, text: string, method = 'POST') => {
    const { collector, upstream } = await startPool(t, (socket) => {
      socket.write(Buffer.from(text, 'latin1'));
      if (!/keep-open/.test(text)) socket.end();
    });
    const caller = new RecordingCaller();
    const call = upstream.open(onwardRequest({ method }), caller) as UpstreamCall;
    call.write(EMPTY, true);
    await until('it is over', () => caller.isOver);
    return { caller, collector };
  };

  it('ends where its length, its chunks or its connection say', async (t) => {
    for (const [text, body] of [
      ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello', 'hello'],
      ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n', 'hello'],
      ['HTTP/1.1 200 OK\r\n\r\nhello', 'hello'],
      ['HTTP/1.0 200 OK\r\n\r\nhello', 'hello'],
      ['HTTP/1.1 204 No Content\r\n\r\n', ''],
      ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
      [
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
        'ok',
      ],
    ] as const) {
      const { caller } = await answered(t, text);
      assert.deepEqual([caller.ending, caller.body], ['answered', body], text);
    }
    const head = await answered(t, 'HTTP/1.1 200 OK\r\nx: keep-open\r\ncontent-length: 5\r\n\r\n', 'HEAD');
    assert.deepEqual([head.caller.body, head.caller.varying], ['', ['content-length', '5']]);
  });

  it('that is none, or not whole, is a failure, and its connection is not used again', async (t) => {
    for (const text of [
      'what?\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-ty',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
      'HTTP/1.1 200 OK\r\nkeep-open: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello!',
      'HTTP/1.1 200 OK\r\nkeep-open: 1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\nkeep-open: 1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nkeep-open: 1\r\n\r\n',
      'HTTP/1.1 100 Continue\r\nkeep-open: 1\r\n\r\n'.repeat(9),
      `HTTP/1.1 200 OK\r\nkeep-open: ${'a'.repeat(70_000)}`,
    ]) {
      const { caller, collector } = await answered(t, text);
      assert.deepEqual([caller.ending, caller.reason], ['failed', 'upstream_unavailable'], text);
      await until('its connection is gone', () => collector.open === 0);
    }
  });

  it('comes to the same however it is chopped', async (t) => {
    let parts: readonly Buffer[] = [];
    const { send } = await startPool(t, (socket) => {
      void (async () => {
        for (const part of parts) {
          socket.write(part);
          await new Promise(setImmediate);
        }
      })();
    });
    const bodies = [
      'HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 5\r\n\r\nhello',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n4;a\r\nello\r\n0\r\n\r\n`,
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bodies), fc.array(fc.nat(70), { maxLength: 8 }), async (text, cuts) => {
        const bytes = Buffer.from(text);
        const places = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
        parts = places.slice(1).map((place, i) => bytes.subarray(places[i], place));
        const sent = send();
        await over(sent);
        assert.deepEqual([sent.caller.ending, sent.caller.body], ['answered', 'hello']);
      }),
      { numRuns: 30 },
    );
  });

  it('that comes before the request was sent keeps nobody else’s place', async (t) => {
    const { collector, upstream } = await startPool(t);
    const caller = new RecordingCaller();
    const call = upstream.open(onwardRequest({ bodyLength: 10 }), caller) as UpstreamCall;
    call.write(Buffer.from('half'), false);
    await until('it is over', () => caller.isOver);
    assert.equal(caller.ending, 'answered');
    await until('its connection is gone', () => collector.open === 0);
  });

  it('is not read faster than it is taken', async (t) => {
    const { send } = await startPool(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${16 << 20}\r\n\r\n`);
      socket.write(Buffer.alloc(16 << 20));
    });
    const { caller, call } = send();
    const received = (): number => caller.pieces.reduce((sum, { length }) => sum + length, 0);
    await until('something came', () => received() > 0);
    await until('nothing moves', stillness(received, 100));
    assert.ok(received() > 0 && received() < 512 << 10, `${received()} bytes`);
    let released = 0;
    while (!caller.isOver) {
      const bytes = received() - released;
      released += bytes;
      call.release(bytes);
      await new Promise(setImmediate);
    }
    assert.equal(received(), 16 << 20);
  });
});
