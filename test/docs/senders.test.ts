import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What docs/senders.md shows, and the script of `npm run test:interop` that runs it. */
const SHOWN = {
  'config/prometheus/remote-write.yaml': 'test/interop/prometheus/senders.ts',
} as const;

for (const [file, script] of Object.entries(SHOWN)) {
  test(`docs/senders.md shows ${file} word for word, as it is run`, () => {
    assert.ok(read('docs/senders.md').includes(`\n${read(file)}\`\`\``));
    assert.ok(read(script).includes(`'../../../${file}'`));
  });
}
