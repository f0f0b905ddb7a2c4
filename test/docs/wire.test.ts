import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/wire.md'), 'utf8');
const section = page.slice(page.indexOf('## Abuse'), page.indexOf('## What is not here'));
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| attack '))
  .map((line) => line.split(' | ').slice(1))
  .map(([guard = '', tests = '']) => ({ guards: spans(guard), tests: spans(tests) }));

function spans(cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text);
}

test('docs/wire.md names for each kind of abuse a guard that is in the source', () => {
  assert.ok(rows.length > 40, 'there is a table');
  for (const { guards } of rows) {
    let source = '';
    for (const name of guards) {
      if (!name.endsWith('.ts')) assert.ok(source.includes(name), `${name} is not in the file before it`);
      else source = readFileSync(join(root, name.startsWith('src/') ? '' : 'src/plane/wire', name), 'utf8');
    }
    assert.notEqual(source, '', `no file: ${guards.join()}`);
  }
});

test('docs/wire.md names for each kind of abuse tests that there are', () => {
  for (const { guards, tests } of rows) {
    assert.ok(tests.length > 0, `no test: ${guards.join()}`);
    for (const name of tests) assert.ok(existsSync(join(root, 'test', `${name}.test.ts`)), name);
  }
});
