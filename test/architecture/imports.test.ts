import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readImports } from './read-imports.ts';
import { findCycles, findFaults, MAX_LINES, PACKAGES, ROOMS } from './rules.ts';

const root = new URL('../../', import.meta.url);

function readSources(): Map<string, string> {
  const files = globSync('**/*.ts', { cwd: new URL('src/', root) }).sort();
  return new Map(files.map((file) => [file, readFileSync(new URL(`src/${file}`, root), 'utf8')]));
}

test('the sources import in one direction, without cycles, in files of bounded size', () => {
  const sources = readSources();
  assert.ok(sources.size > 0, 'no sources were found');
  assert.deepEqual(findFaults(sources), []);
});

test('every room and package of the rules is there, so that no rule outlives what it was for', () => {
  const sources = [...readSources()];
  const rooms = Object.keys(ROOMS).filter((room) => !sources.some(([file]) => `${file}/`.startsWith(`${room}/`)));
  const imported = new Set(sources.flatMap(([, source]) => readImports(source)));
  const packages = Object.keys(PACKAGES).filter((name) => !imported.has(name));
  assert.deepEqual({ rooms, packages }, { rooms: [], packages: [] });
});

test('the rooms themselves know each other in one direction', () => {
  assert.deepEqual(findCycles(new Map(Object.entries(ROOMS))), []);
  const known = new Set([...Object.values(ROOMS), ...Object.values(PACKAGES)].flat());
  const nowhere = [...known].filter((room) => ROOMS[room] === undefined && !existsSync(new URL(`src/${room}`, root)));
  assert.deepEqual(nowhere, [], 'rooms that the rules allow but that are not there');
});

test('what the sources import is installed for production', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const packages = Object.keys(PACKAGES).filter((name) => !name.startsWith('node:'));
  assert.deepEqual(Object.keys(dependencies).sort(), packages.sort());
});

test('the reader sees every shape of import and nothing in comments', () => {
  const source = `
/**
 * import { no } from './comment.ts';
 */
// import { no } from './line-comment.ts';
import { a } from './value.ts';
import type { B } from './type.ts';
import * as all from './namespace.ts';
import './effect.ts';
import {
  many,
  type Mixed,
} from './many-lines.ts';
export { d } from './re-export.ts';
export type { E } from './type-re-export.ts';
export * from './all.ts';
const late = await import('./dynamic.ts');
let inline: import('./inline-type.ts').T;
export const sentence = Buffer.from('./not-an-import.ts');
`;
  assert.deepEqual(readImports(source).sort(), [
    './all.ts',
    './dynamic.ts',
    './effect.ts',
    './inline-type.ts',
    './many-lines.ts',
    './namespace.ts',
    './re-export.ts',
    './type-re-export.ts',
    './type.ts',
    './value.ts',
  ]);
});

test('each rule can fail', () => {
  const rooms = { inner: [], 'outer/model.ts': [], outer: ['inner'] };
  const packages = { redis: ['outer'], '@scope/lib': ['outer/deep'] };
  const faultsOf = (files: Record<string, string>) => findFaults(new Map(Object.entries(files)), rooms, packages);

  const cases: Array<[rule: string, files: Record<string, string>, faults: string[]]> = [
    [
      'an allowed graph has no fault',
      {
        'inner/a.ts': "import type { M } from './b.ts';",
        'inner/b.ts': '',
        'outer/c.ts': "import { a } from '../inner/a.ts';\nimport redis from 'redis';\nimport fs from 'node:fs';",
        'outer/deep/d.ts': "import { lib } from '@scope/lib/sub';\nimport { c } from '../c.ts';",
      },
      [],
    ],
    [
      'an import against the direction, though it is only of a type',
      { 'inner/a.ts': "import type { C } from '../outer/c.ts';", 'outer/c.ts': '' },
      ['inner/a.ts imports outer/c.ts: inner may not know outer'],
    ],
    [
      'a file that is a room of its own may not import its folder',
      { 'outer/model.ts': "import { c } from './c.ts';", 'outer/c.ts': '' },
      ['outer/model.ts imports outer/c.ts: outer/model.ts may not know outer'],
    ],
    [
      'a cycle of type imports within a room',
      {
        'inner/a.ts': "import type { B } from './b.ts';",
        'inner/b.ts': "import type { C } from './c.ts';",
        'inner/c.ts': "import type { A } from './a.ts';",
      },
      ['cycle: inner/a.ts -> inner/b.ts -> inner/c.ts -> inner/a.ts'],
    ],
    [
      'a package in the wrong room, and one that nobody decided on',
      { 'inner/a.ts': "import redis from 'redis';\nimport lodash from 'lodash';" },
      ['inner/a.ts imports redis, which only outer may', 'inner/a.ts imports lodash, which no room may'],
    ],
    [
      'an import without its ending',
      { 'inner/a.ts': "import { b } from './b';", 'inner/b.ts': '' },
      ['inner/a.ts imports inner/b without the ending .ts'],
    ],
    [
      'an import of what is not there',
      { 'inner/a.ts': "import { b } from './b.ts';" },
      ['inner/a.ts imports inner/b.ts, which does not exist'],
    ],
    ['a file in no room', { 'lost.ts': '' }, ['lost.ts is in no room']],
    [
      'a file that is too long',
      { 'inner/a.ts': 'x;\n'.repeat(MAX_LINES + 1) },
      [`inner/a.ts has ${MAX_LINES + 1} lines, more than ${MAX_LINES}`],
    ],
    ['a default export', { 'inner/a.ts': 'export default 1;' }, ['inner/a.ts has a default export']],
    [
      'a default export by another name',
      { 'inner/a.ts': 'export { a as default };' },
      ['inner/a.ts has a default export'],
    ],
  ];
  for (const [rule, files, faults] of cases) assert.deepEqual(faultsOf(files), faults, rule);
});
