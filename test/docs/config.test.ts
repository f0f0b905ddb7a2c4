import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { describeSchema, type Option, optionsBelow } from '../../src/config/describe.ts';
import { fileVariableOf, variableOf } from '../../src/config/environment.ts';
import { generateFiles, outdatedFiles } from '../../src/config/generate.ts';
import { configSchema } from '../../src/config/schema.ts';
import { setAt, type Tree } from '../../src/config/tree.ts';

const project = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(project, path), 'utf8');
const root = describeSchema(configSchema);

/** Every option there is, those of lists' items too. */
function allOptions(option: Option): Option[] {
  const inner = option.kind === 'list' ? [option.item] : 'children' in option ? option.children : [];
  return inner.flatMap((child) => [child, ...allOptions(child)]);
}

const documented = allOptions(root).filter((option) => option.path.at(-1) !== '[]');

test('the generated files are what the schema makes of them now', () => {
  assert.deepEqual(
    outdatedFiles().map(({ path }) => path),
    [],
    'run node src/config/generate.ts',
  );
});

test('files that are not there count as out of date', () => {
  const empty = mkdtempSync(join(tmpdir(), 'keygate-docs-'));
  try {
    assert.deepEqual(outdatedFiles(empty), generateFiles());
  } finally {
    rmSync(empty, { recursive: true });
  }
});

test('config/keygate.yaml says what no file at all would say', () => {
  assert.deepEqual(configSchema.parse(parse(read('config/keygate.yaml'))), configSchema.parse({}));
});

test('config/keygate.yaml names every option, in use or as a comment', () => {
  const lines = read('config/keygate.yaml').split('\n');
  const missing = documented.filter(({ path }) => !lines.some((line) => isKeyLine(line, path.at(-1) ?? '')));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});

function isKeyLine(line: string, key: string): boolean {
  return line.replace(/^[\s#-]*/, '').startsWith(`${key}:`);
}

test('every option has a description that is a sentence', () => {
  const faulty = documented.filter(({ description }) => !/^\S.*[.]$/.test(description));
  assert.deepEqual(
    faulty.map(({ name, description }) => `${name}: ${description}`),
    [],
  );
});

test('docs/config.md has a row for every option that can be set, with its variables', () => {
  const rows = read('docs/config.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const expected = documented
    .filter(({ kind }) => kind !== 'section')
    .map((option) => {
      const variables = option.path.includes('[]') ? [] : [variableOf(option), fileVariableOf(option)];
      return [option.name, ...variables.filter((name) => name !== undefined)].map((name) => `\`${name}\``).join('<br>');
    });
  assert.deepEqual(
    rows.map((row) => row.split(' | ')[0]?.slice(2)),
    expected,
  );
});

test('the configurations that docs/config.md shows are valid', () => {
  const examples = [...read('docs/config.md').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  assert.equal(examples.length, 2);
  for (const text of examples) configSchema.parse(parse(text));
});

test('the groups that config/keygate.yaml shows as comments are valid when they are put to use', () => {
  const groups = optionsBelow(root).filter(({ kind }) => kind === 'group');
  assert.deepEqual(
    groups.map(({ name }) => name),
    [
      'listen.grpc.tls',
      'listen.http.tls',
      'authz.grpc.tls',
      'authz.http.tls',
      'store.redis',
      'keys.pepper',
      'keys.revealable.encryptionKey',
      'cache.snapshot',
    ],
  );
  const text = read('config/keygate.yaml');
  for (const { name, path } of groups) {
    const tree = parse(text) as Tree;
    setAt(tree, path, parse(exampleOf(text, path)));
    assert.doesNotThrow(() => configSchema.parse(tree), name);
  }
});

test('the items that config/keygate.yaml shows as comments are valid when they are put to use', () => {
  const text = read('config/keygate.yaml');
  for (const path of [
    ['keys', 'previousPeppers'],
    ['keys', 'revealable', 'previousEncryptionKeys'],
    ['keys', 'receiverKeys'],
  ]) {
    const tree = parse(text) as Tree;
    const items: unknown = parse(exampleOf(text, path));
    assert.ok(Array.isArray(items) && items.length === 1, path.join('.'));
    setAt(tree, path, items);
    assert.doesNotThrow(() => configSchema.parse(tree), path.join('.'));
  }
});

/** The commented lines that follow `key: null` or `key: []` at the place of an option, as YAML. */
function exampleOf(text: string, path: readonly string[]): string {
  const lines = text.split('\n');
  let at = -1;
  path.forEach((key, depth) => {
    at = lines.findIndex((line, index) => index > at && line.startsWith(`${'  '.repeat(depth)}${key}:`));
  });
  const margin = `${'  '.repeat(path.length - 1)}# `;
  const start = at + 2;
  assert.equal(lines[at + 1], `${margin}${path.at(-1)}:`);
  const end = lines.findIndex((line, index) => index >= start && !line.startsWith(margin));
  return lines
    .slice(start, end)
    .map((line) => line.slice(margin.length))
    .join('\n');
}

test('the editor schema knows the same options, and nothing of how Keygate treats them', () => {
  const schema = JSON.parse(read('config/keygate.schema.json')) as { properties: Record<string, unknown> };
  assert.deepEqual(Object.keys(schema.properties), Object.keys(configSchema.shape));
  assert.doesNotMatch(read('config/keygate.schema.json'), /"(?:form|mustExist|listens|reloads)":|"secret": true/);
  assert.match(read('config/keygate.yaml'), /^# yaml-language-server: \$schema=\.\/keygate\.schema\.json\n/);
});
