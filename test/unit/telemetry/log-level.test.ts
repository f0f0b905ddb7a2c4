import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { LevelSetting } from '../../../src/log-levels.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createLogLevelControl } from '../../../src/telemetry/log-level.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const MINUTE = 60_000;

function start(t: TestContext, level: LevelSetting = 'info') {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: Record<string, unknown>[] = [];
  const output = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  const log = createLog({ level, format: 'json', output });
  const control = createLogLevelControl(log, () => NOW);
  t.after(() => control.close());
  const who = { actor: 'sre (7)', address: '10.0.0.1' };
  return {
    log,
    control,
    change: (to: LevelSetting, forMs?: number) => control.change({ level: to, forMs, ...who }),
    said: () =>
      lines
        .splice(0)
        .map(({ level: of, message, actor, before, after, until }) =>
          message === 'the level of the log was changed' ? { actor, before, after, until } : { of, message },
        ),
  };
}

describe('the level of a log', () => {
  it('changes while it is written, and who changed it is in the log', (t) => {
    const { log, control, change, said } = start(t);
    log('debug', 'not seen');
    assert.deepEqual(change('debug'), { level: 'debug', configured: 'info', untilMs: undefined });
    log('debug', 'seen');
    assert.equal(log.isEnabled('debug'), true);
    assert.deepEqual(said(), [
      { actor: 'sre (7)', before: 'info', after: 'debug', until: undefined },
      { of: 'debug', message: 'seen' },
    ]);
    assert.deepEqual(control.state(), { level: 'debug', configured: 'info', untilMs: undefined });
  });

  it('goes back by itself when its time is over, and says so', (t) => {
    const { control, change, said } = start(t);
    assert.equal(change('debug', 10 * MINUTE).untilMs, NOW + 10 * MINUTE);
    said();
    t.mock.timers.tick(10 * MINUTE - 1);
    assert.equal(control.state().level, 'debug');
    t.mock.timers.tick(1);
    assert.deepEqual(control.state(), { level: 'info', configured: 'info', untilMs: undefined });
    assert.deepEqual(said(), [{ actor: 'keygate', before: 'debug', after: 'info', until: undefined }]);
  });

  it('is what the last one wanted: an earlier time is forgotten', (t) => {
    const { control, change } = start(t);
    change('debug', MINUTE);
    change('trace');
    t.mock.timers.tick(2 * MINUTE);
    assert.equal(control.state().level, 'trace');
  });

  it('is what a new configuration says, from then on', (t) => {
    const { control, change, said } = start(t);
    change('debug', MINUTE);
    control.configure('warn');
    assert.deepEqual(control.state(), { level: 'warn', configured: 'warn', untilMs: undefined });
    t.mock.timers.tick(2 * MINUTE);
    assert.equal(control.state().level, 'warn');
    assert.deepEqual(said().at(-1), { actor: 'configuration', before: 'debug', after: 'warn', until: undefined });
  });

  it('cannot be made silent in silence', (t) => {
    const { log, change, said } = start(t, 'error');
    change('silent', MINUTE);
    log('fatal', 'not seen');
    t.mock.timers.tick(MINUTE);
    log('warn', 'not seen');
    assert.deepEqual(said(), [
      { actor: 'sre (7)', before: 'error', after: 'silent', until: '2030-01-01T00:01:00.000Z' },
      { actor: 'keygate', before: 'silent', after: 'error', until: undefined },
    ]);
  });
});
