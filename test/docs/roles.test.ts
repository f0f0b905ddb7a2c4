import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PERMISSIONS, ROLES } from '../../src/admin/roles.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/roles.md'), 'utf8');

/** The cells of the tables whose first cell is code, row by row. */
const rows = [...page.matchAll(/^\| (`[^`]+` \|.*) \|$/gm)].map(([, row = '']) =>
  row.split('|').map((cell) => cell.trim()),
);

const code = (text: string): string => `\`${text}\``;

test('docs/roles.md lists every permission with what it allows, and no other', () => {
  const documented = rows.filter((row) => row.length === 2);
  assert.deepEqual(
    documented,
    Object.entries(PERMISSIONS).map(([name, about]) => [code(name), about]),
  );
});

test('docs/roles.md lists every role with its permissions, and no other', () => {
  const documented = rows.filter((row) => row.length === 3);
  assert.deepEqual(
    documented,
    Object.entries(ROLES).map(([name, { about, permissions }]) => [
      code(name),
      about,
      permissions.length === 0 ? 'none' : permissions.map(code).join(', '),
    ]),
  );
});
