import assert from 'node:assert/strict';
import * as os from 'node:os';
import { test } from 'node:test';
import { yieldToRequests } from '../../../src/cli/helper-threads.ts';

test('what V8 does beside us is less urgent than we are', { skip: os.platform() !== 'linux' }, () => {
  const before = os.getPriority(process.pid);
  const helpers = yieldToRequests();
  assert.ok(helpers.length > 0, 'the helpers of V8 are found by their names');
  for (const id of helpers) assert.ok(os.getPriority(id) > before);
  assert.equal(os.getPriority(process.pid), before);
});
