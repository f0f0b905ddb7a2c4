import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** `npm run test:interop -- collector` runs these files with real Collectors; here people read them. */
const SHOWN = { 'README.md': 'keygate.yaml', 'docs/senders.md': 'token-file.yaml' } as const;

for (const [page, file] of Object.entries(SHOWN)) {
  test(`${page} shows config/collector/${file} word for word`, () => {
    assert.ok(read(page).includes(`\`\`\`yaml\n${read(`config/collector/${file}`)}\`\`\``));
  });
}

test('every example for Collectors is one that the tests run', () => {
  const run = ['senders.ts', 'place.ts'].map((file) => read(`test/interop/collector/${file}`)).join('\n');
  for (const file of readdirSync(join(root, 'config/collector'))) assert.ok(run.includes(`'${file}'`), file);
});
