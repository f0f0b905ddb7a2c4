import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBoundedLog, LOG_WINDOW_MS } from '../../../src/telemetry/bounded-log.ts';

describe('a log for lines that come as fast as requests', () => {
  it('takes some of each message in a window, and then says how many it left out', () => {
    const lines: unknown[] = [];
    let left = 0;
    const log = createBoundedLog({
      log: (...line) => void lines.push(line),
      linesOfMessage: 2,
      dropped: (count) => (left += count),
    });
    for (let i = 0; i < 5; i++) log('error', 'a key could not be read', { cause: `${i}` });
    log('warn', 'something else');
    log.turn();
    log.turn();
    log('error', 'a key could not be read');
    assert.deepEqual(lines, [
      ['error', 'a key could not be read', { cause: '0' }],
      ['error', 'a key could not be read', { cause: '1' }],
      ['warn', 'something else', undefined],
      ['error', 'lines were left out of the log', { line: 'a key could not be read', dropped: 3 }],
      ['error', 'a key could not be read', undefined],
    ]);
    assert.equal(left, 3);
  });

  it('says so by itself when the window that began with the first line is over', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const messages: string[] = [];
    const log = createBoundedLog({
      log: (_level, message) => void messages.push(message),
      linesOfMessage: 1,
      dropped() {},
    });
    for (let round = 0; round < 2; round++) {
      log('info', 'again');
      log('info', 'again');
      t.mock.timers.tick(LOG_WINDOW_MS - 1);
      log('info', 'again');
      assert.deepEqual(messages.splice(0), ['again']);
      t.mock.timers.tick(1);
      assert.deepEqual(messages.splice(0), ['lines were left out of the log']);
      t.mock.timers.tick(LOG_WINDOW_MS);
    }
  });
});
