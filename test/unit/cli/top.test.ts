import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomBelow } from '../../../src/cli/top.ts';

test('keygate top shows no more sources than the screen has room for, also where its numbers take two lines', () => {
  const summary = ['gateway-1', 'x'.repeat(100)];
  const rooms = [24, 12, 3].map((rows) => roomBelow(summary, { rows, columns: 120 }));
  assert.deepEqual(rooms, [19, 7, 1]);
  assert.equal(roomBelow(summary, { rows: 24, columns: 80 }), 18);
  assert.equal(roomBelow(summary, {}), 100);
});
