import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianProgram } from '../conformance/toolchain.ts';
import { toRun } from '../support/runbook.ts';
import { until } from '../support/wait.ts';
import { aDirectory, openPlace } from './place.ts';

debianProgram('curl');

test('docs/rotate-a-key.md: whoever follows it loses no request', async (t) => {
  const place = await openPlace(t, { sqlite: { path: join(aDirectory(t), 'keys.db') } });
  const { id, key } = await place.createKey('payments');
  const shell = place.shell({ names: [[/\bID\b/g, id]] });
  writeFileSync(join(shell.directory, 'ops.token'), await place.createToken('admin'), { mode: 0o600 });
  const [connect, who, rotate, watch, end, ...more] = toRun({ page: 'docs/rotate-a-key.md' });
  assert.deepEqual(more, []);
  const run = async (block: { readonly text: string } | undefined): Promise<string> => {
    assert.ok(block !== undefined);
    const { code, output } = await shell.run(block.text);
    assert.equal(code, 0, `${block.text}\n${output}`);
    return output;
  };

  let current = key;
  const sender = await place.send(() => current);
  await run(connect);
  await until('the use of the key is written', async () => /127\.0\.0\.1/.test(await run(who)), 20_000);
  assert.match(await run(rotate), /applied/);
  const next = readFileSync(join(shell.directory, 'new.key'), 'utf8').trim();
  assert.deepEqual([await place.statusOf(key), await place.statusOf(next)], [0, 0], 'both work');
  current = next;
  await until(
    'the use of the new one is written',
    async () => /payments[\s\S]*payments/.test(await run(watch)),
    20_000,
  );
  assert.match(await run(end), /applied/);
  assert.deepEqual([await place.statusOf(key), await place.statusOf(next)], [7, 0]);
  await sender.stop();
  assert.ok(sender.codes.length > 10);
  assert.deepEqual([...new Set(sender.codes)], [0]);
});
