import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/conformance.md');

test('docs/conformance.md names every suite that there is a script for, and no other', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const suites = Object.keys(scripts).filter((name) => scripts[name]?.includes('test/conformance/'));
  const named = Array.from(page.matchAll(/^\| `npm run ([^`]+)`/gm), ([, name = '']) => name);
  assert.deepEqual(named.toSorted(), suites.toSorted());
});

test('docs/conformance.md says of every case that may fail on the wire plane why', () => {
  const lists = ['h2spec', 'httpwg'].flatMap(
    (suite) =>
      JSON.parse(read(`test/conformance/${suite}-allowed.json`)) as { case: string; planes: string[]; why: string }[],
  );
  assert.deepEqual(
    lists.filter(({ why }) => why.length < 10),
    [],
  );
  const allowed = lists
    .filter(({ planes }) => planes.includes('wire'))
    .map((one) => one.case.split(' :: ').at(-1) ?? '');
  const section = page.slice(page.indexOf('## What may fail'), page.indexOf('## Last results'));
  const told = section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => Array.from((line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), ([, name = '']) => name));
  assert.deepEqual(told.toSorted(), allowed.toSorted());
});
