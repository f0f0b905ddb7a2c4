import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const inDocs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...inDocs.map((name) => `docs/${name}`)];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

/** As GitHub and most others make them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (page: string): Set<string> =>
  new Set([
    ...[...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading)),
    ...[...read(page).matchAll(/^<a id="([^"]+)"><\/a>$/gm)].map(([, id = '']) => id),
  ]);

test('every link between pages leads to something that is there, and to a heading of it', () => {
  let count = 0;
  for (const page of pages) {
    const text = read(page).replaceAll(/```[\s\S]*?```/g, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? page : join(dirname(page), file);
      assert.ok(existsSync(join(root, path)), `${page} leads to ${target}`);
      if (anchor !== undefined) assert.ok(anchorsOf(path).has(anchor), `${page} leads to ${target}`);
      count++;
    }
  }
  assert.ok(count > 150);
});

test('every page has its place in docs/README.md', () => {
  const index = read('docs/README.md');
  for (const name of inDocs.filter((each) => each !== 'README.md'))
    assert.ok(index.includes(`(${name}`), `docs/README.md says nothing of ${name}`);
});
