import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, renderTable } from '../../../src/cli/table.ts';

test('every cell is padded, the last one too, and headers are in capitals', () => {
  const table = {
    header: ['id', 'name', 'expiration', 'description'],
    rows: [['250558013078953', 'my-ingestion-api-key', '', '-']],
  };
  assert.equal(
    renderTable(table, {}),
    'ID              | NAME                 | EXPIRATION | DESCRIPTION\n' +
      '250558013078953 | my-ingestion-api-key |            | -          \n',
  );
});

test('on a narrow terminal the wide columns share the room that the others leave', () => {
  const table = {
    header: ['hello', 'foo', 'world'],
    rows: [['hello', 'darkness my old friend', 'Because a vision softly creeping']],
  };
  assert.equal(
    renderTable(table, { maxWidth: 30 }),
    'HELLO | FOO       | WORLD    \n' +
      'hello | darkness  | Because a\n' +
      '      | my old fr |  vision s\n' +
      '      | iend      | oftly cre\n' +
      '      |           | eping    \n',
  );
});

test('a table that fits is not wrapped, and without a width nothing is', () => {
  const table = { header: ['a', 'b'], rows: [['1', '22222222222222222222']] };
  const whole = 'A | B                   \n1 | 22222222222222222222\n';
  assert.equal(renderTable(table, { maxWidth: 24 }), whole);
  assert.equal(renderTable(table, {}), whole);
});

test('characters are counted as a reader counts them', () => {
  const table = { header: ['n'], rows: [['a'], ['👩‍💻'], ['é']] };
  assert.equal(renderTable(table, {}), 'N\na\n👩‍💻\né\n');
});

test('a cell cannot move the cursor, break the line or turn the reading direction round', () => {
  assert.equal(printable('a\u{1b}[2Jb\nc\u{202e}d\u{9b}e'), 'a�[2Jb�c�d�e');
});
