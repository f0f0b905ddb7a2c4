import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { redactFields, redactText } from '../../../src/telemetry/redact.ts';

describe('a log field', () => {
  it('is written if its name is listed', () => {
    const fields = { reason: 'unknown_key', bytes: 3, dropped: 0, peer: '127.0.0.1' };
    assert.deepEqual(redactFields(fields), fields);
  });

  it('is written as [redacted] if its name is not listed, whatever its value', () => {
    assert.deepEqual(redactFields({ authorization: 'Bearer x', Reason: 'a', count2: 1 }), {
      authorization: '[redacted]',
      Reason: '[redacted]',
      count2: '[redacted]',
    });
  });

  it('is left out without a value', () => {
    assert.deepEqual(redactFields({ reason: undefined, other: undefined }), {});
  });

  it('is never anything nested, whose names would escape the list', () => {
    assert.deepEqual(redactFields({ error: { authorization: 'x' }, path: ['x'], cause: null, reason: 1n }), {
      error: '[redacted]',
      path: '[redacted]',
      cause: '[redacted]',
      reason: '[redacted]',
    });
  });
});

describe('text that may be logged', () => {
  it('loses our keys, whole or cut short, wherever they stand', () => {
    const key = createKeyText('ingestion');
    const token = createKeyText('service');
    assert.equal(
      redactText(`"${key}" or ${token}, not ${key.slice(0, 20)}`),
      '"[redacted]" or [redacted], not [redacted]',
    );
  });

  it('loses the user and the password of a URL', () => {
    assert.equal(
      redactText('connect redis://keygate:s3cret@redis:6379/0 failed'),
      'connect redis://[redacted]@redis:6379/0 failed',
    );
    assert.equal(redactText('see https://example.com/a@b'), 'see https://example.com/a@b');
  });
});

describe('a log', () => {
  it('never says a key, be it in the message or in any field', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'trace', format: 'json', output: { write: (line) => lines.push(line) } });
    const around = fc.string();
    const names = fc.oneof(fc.string(), fc.constantFrom('error', 'cause', 'user_agent'));
    fc.assert(
      fc.property(around, around, names, fc.constantFrom('ingestion', 'service'), (before, after, name, kind) => {
        const key = createKeyText(kind);
        const random = key.slice(key.indexOf('-') + 1);
        lines.length = 0;
        log('trace', before + key + after, { [name]: before + key + after });
        assert.equal(lines.length, 1);
        assert.ok(!lines.join('').includes(random), lines.join(''));
      }),
    );
  });

  it('as JSON is one object a line', () => {
    const lines: string[] = [];
    createLog({ level: 'info', format: 'json', output: { write: (line) => lines.push(line) } })('warn', 'a\nb', {
      reason: 'x\ny',
    });
    assert.equal(lines.length, 1);
    const { time, pid, ...rest } = JSON.parse(lines.join('')) as Record<string, unknown>;
    assert.deepEqual(rest, { level: 'warn', message: 'a\nb', reason: 'x\ny' });
    assert.equal(pid, process.pid);
    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
    assert.equal(lines.join('').indexOf('\n'), lines.join('').length - 1);
  });

  it('as text is one line, and what comes from outside cannot begin another one', () => {
    const lines: string[] = [];
    const log = createLog({
      level: 'info',
      format: 'auto',
      output: { write: (line) => lines.push(line), isTTY: true },
    });
    log('info', 'refused', { reason: 'unknown_key', user_agent: 'x\n12:00:00.000 INFO  forged', peer: '' });
    assert.match(
      lines.join(''),
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}refused {2}reason=unknown_key {2}user_agent="x\\n12:00:00\.000 INFO {2}forged" {2}peer=""\n$/,
    );
  });

  it('leaves out what is below its level', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'warn', format: 'json', output: { write: (line) => lines.push(line) } });
    log('info', 'no');
    assert.deepEqual(lines, []);
  });
});
