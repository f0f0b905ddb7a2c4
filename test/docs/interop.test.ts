import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cellsOf, neighbourNames, PAGE, readResults, renderPage } from '../interop/page.ts';

const results = readResults();

test('docs/interop.md is what the last runs showed', () => {
  assert.equal(readFileSync(PAGE, 'utf8'), renderPage(results));
});

test('each neighbour has been run, and nothing is kept of one that is gone', () => {
  assert.deepEqual(
    results.map(({ name }) => name),
    neighbourNames(),
  );
});

for (const { name, tables } of results) {
  test(`${name}: nothing failed in its last run`, () => {
    assert.deepEqual(
      cellsOf(tables).filter(({ outcome }) => outcome === 'fail'),
      [],
    );
  });
}
