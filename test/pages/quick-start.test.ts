import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianProgram } from '../conformance/toolchain.ts';
import { follow } from '../support/runbook.ts';
import { aDirectory, openPlace } from './place.ts';

for (const program of ['curl', 'jq']) debianProgram(program);

test('docs/quick-start.md: each command does what the page says', async (t) => {
  const place = await openPlace(t, { sqlite: { path: join(aDirectory(t), 'keys.db') } });
  const [sent, sdk, wrong, top, metrics, revoked, ...more] = await follow(place.shell(), {
    page: 'docs/quick-start.md',
  });
  assert.match(sent ?? '', /^HTTP\/1\.1 200 OK/m);
  assert.equal(sdk, '');
  assert.match(wrong ?? '', /^HTTP\/1\.1 403 Forbidden[\s\S]*bad_checksum/m);
  assert.match(top ?? '', /requests since[\s\S]*bad_checksum/);
  assert.match(metrics ?? '', /verdict="allow",reason="none"\} 1$/m);
  assert.match(revoked ?? '', /applied[\s\S]*^HTTP\/1\.1 403 Forbidden[\s\S]*revoked_key/m);
  assert.deepEqual(more, []);
});
