import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, renderTable } from '../../../src/cli/table.ts';

test('every cell is padded, the last one too, and headers are in capitals', () => {
  const table = {
    header: ['id', 'name', 'expiration', 'description'],
    wraps: [],
    rows: [['250558013078953', 'my-ingestion-api-key', '', '-']],
  };
  assert.equal(
    renderTable(table, {}),
    'ID              | NAME                 | EXPIRATION | DESCRIPTION\n' +
      '250558013078953 | my-ingestion-api-key |            | -          \n',
  );
});

test('on a narrow terminal the wide columns share the room that the others leave, and are wrapped between words', () => {
  const table = {
    header: ['hello', 'foo', 'world'],
    rows: [['hello', 'darkness my old friend', 'Because a vision softlycreeping']],
    wraps: ['hello', 'foo', 'world'],
  };
  assert.equal(
    renderTable(table, { maxWidth: 30 }),
    'HELLO | FOO       | WORLD    \n' +
      'hello | darkness  | Because a\n' +
      '      | my old    | vision   \n' +
      '      | friend    | softlycre\n' +
      '      |           | eping    \n',
  );
});

test('a column that is not to be wrapped never is, however narrow the terminal', () => {
  const table = { header: ['id', 'name'], rows: [['250558013078953', 'checkout-eu-production']], wraps: ['name'] };
  assert.equal(
    renderTable(table, { maxWidth: 29 }),
    'ID              | NAME       \n250558013078953 | checkout-  \n                | eu-producti\n                | on         \n',
  );
  assert.match(renderTable(table, { maxWidth: 5 }), /^250558013078953 \| checko$/m);
});

test('columns that have no room beside the others go below them', () => {
  const table = {
    header: ['id', 'by', 'details'],
    rows: [
      ['1', 'anna', 'this became that'],
      ['2', 'carl', ''],
    ],
    wraps: [],
    below: ['by', 'details'],
  };
  assert.equal(
    renderTable(table, { maxWidth: 20 }),
    'ID\n    BY | DETAILS\n1 \n    anna | this\n    became that\n2 \n    carl | \n',
  );
  assert.match(renderTable(table, { maxWidth: 30 }), /^1 {2}\| anna \| this became that$/m);
  assert.match(renderTable(table, {}), /^1 {2}\| anna \| this became that$/m);
});

test('a table that fits is not wrapped, and without a width nothing is', () => {
  const table = { header: ['a', 'b'], rows: [['1', '22222222222222222222']], wraps: ['b'] };
  const whole = 'A | B                   \n1 | 22222222222222222222\n';
  assert.equal(renderTable(table, { maxWidth: 24 }), whole);
  assert.equal(renderTable(table, {}), whole);
});

test('characters are counted as a reader counts them', () => {
  const table = { header: ['n'], rows: [['a'], ['👩‍💻'], ['é']], wraps: [] };
  assert.equal(renderTable(table, {}), 'N\na\n👩‍💻\né\n');
});

test('a cell cannot move the cursor, break the line or turn the reading direction round', () => {
  assert.equal(printable('a\u{1b}[2Jb\nc\u{202e}d\u{9b}e'), 'a�[2Jb�c�d�e');
});
