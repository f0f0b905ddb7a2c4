import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLog } from '../../../src/telemetry/log.ts';

describe('a log that nobody reads', () => {
  it('takes a MiB and no more, and says what it left out when somebody reads again', () => {
    const lines: string[] = [];
    const output = {
      writableLength: 0,
      write(text: string) {
        lines.push(text);
        output.writableLength += text.length;
      },
    };
    const log = createLog({ level: 'info', format: 'json', output });
    const cause = 'x'.repeat(1_000);
    for (let i = 0; i < 5_000; i++) log('info', 'a line', { cause });
    const taken = lines.length;
    assert.ok(output.writableLength > 1 << 20 && output.writableLength < (1 << 20) + 2_000, `${output.writableLength}`);
    log('debug', 'below its level');

    output.writableLength = 0;
    log('info', 'read again');
    const [first, second] = lines.slice(taken).map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([first?.['level'], first?.['dropped']], ['warn', 5_000 - taken]);
    assert.equal(second?.['message'], 'read again');
    log('info', 'and again');
    assert.equal(lines.length, taken + 3);
  });
});
