import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Budgets } from '../../../../src/plane/wire/budgets.ts';

function newBudgets() {
  const told: string[] = [];
  return { told, budgets: new Budgets((budget, how) => void told.push(`${budget} ${how}`)) };
}

describe('what a connection may do', () => {
  it('ends when it is spent, after one warning when a quarter is left', () => {
    const { told, budgets } = newBudgets();
    const answers = Array.from({ length: 300 }, () => budgets.spend('resets'));
    const warnedAt = answers.indexOf('warned');
    const endedAt = answers.indexOf('ended');
    // A few more than its burst, for it fills up meanwhile.
    assert.ok(warnedAt >= 150 && warnedAt < 170, `warned after ${warnedAt}`);
    assert.ok(endedAt >= 200 && endedAt < 220, `ended after ${endedAt}`);
    assert.deepEqual(told.slice(0, 2), ['resets warned', 'resets ended']);
    assert.equal(answers.filter((answer) => answer === 'warned').length, 1);
  });

  it('is counted apart for each kind, and warned of once in all', () => {
    const { told, budgets } = newBudgets();
    for (let n = 0; n < 180; n++) budgets.spend('resets');
    for (let n = 0; n < 90; n++) budgets.spend('errors');
    assert.deepEqual(told, ['resets warned']);
  });

  it('comes back with time', (t) => {
    let nowMs = 0;
    t.mock.method(performance, 'now', () => nowMs);
    const { told, budgets } = newBudgets();
    for (let n = 0; n < 10_000; n++) {
      nowMs += 31; // 33 in a second are for ever
      assert.equal(budgets.spend('resets'), 'fine');
    }
    assert.deepEqual(told, []);
  });

  it('can be forgiven, but not saved up', () => {
    const { told, budgets } = newBudgets();
    for (let n = 0; n < 10_000; n++) {
      budgets.forgive('pings');
      budgets.spend('pings');
    }
    assert.deepEqual(told, []);
    for (let n = 0; n < 10_000; n++) budgets.forgive('pings');
    for (let n = 0; n < 1_200; n++) budgets.spend('pings');
    assert.deepEqual(told.slice(0, 2), ['pings warned', 'pings ended']);
  });

  it('is ended without a warning where little is allowed at all', () => {
    const { told, budgets } = newBudgets();
    assert.deepEqual(
      Array.from({ length: 4 }, () => budgets.spend('large_heads')),
      ['fine', 'fine', 'fine', 'ended'],
    );
    assert.deepEqual(told, ['large_heads ended']);
  });
});
