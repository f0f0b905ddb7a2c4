import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { createCliHome } from '../support/run-cli.ts';
import { digestOf, newRecord } from '../support/stores.ts';

const HEADER = '{"format":"keygate-keys","version":1}';
const COUNT = 100_000;
/** As text alone the file has 25 MB; a process that held all of its records would need several times as much. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=48' };

test('100,000 lines are imported and exported in the memory of a few', { timeout: 110_000 }, async (t) => {
  const home = createCliHome();
  t.after(() => home.remove());
  function* lines(): Generator<string> {
    yield `${HEADER}\n`;
    for (let i = 1; i <= COUNT; i++) {
      yield `${JSON.stringify(newRecord({ id: String(i), name: `key-${i}`, digest: digestOf(String(i)) }))}\n`;
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(home.at('in.jsonl')));

  const imported = await home.spawn(['keys', 'import', '--file', home.at('in.jsonl')], SMALL_HEAP);
  assert.deepEqual([imported.code, imported.stdout], [0, `✅ Keys imported: ${COUNT}, unchanged: 0, refused: 0\n`]);
  const exported = await home.spawn(['keys', 'export', '--file', home.at('out.jsonl')], SMALL_HEAP);
  assert.equal(exported.stdout, `✅ Keys exported: ${COUNT}, written to ${home.at('out.jsonl')}\n`);

  let count = 0;
  for await (const line of createInterface({ input: createReadStream(home.at('out.jsonl')) })) {
    if (line.includes('"digest"')) count++;
  }
  assert.equal(count, COUNT);
});
