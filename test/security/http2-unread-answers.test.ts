import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('../support/unread-answers.ts', import.meta.url));

test('connections that end in the middle of trailers, with their answers unread, do not stop the process', async () => {
  // Fails by the signal of an abort: docs/decisions/0004-sessions-outlive-their-streams.md
  const { stderr } = await promisify(execFile)(process.execPath, ['--expose-gc', PROGRAM]);
  assert.equal(stderr, '');
});
