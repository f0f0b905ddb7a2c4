import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectKeys } from '../../../src/keys/key-query.ts';
import type { KeyQuery } from '../../../src/keys/key-query.ts';
import { compareTexts } from '../../../src/keys/order.ts';
import { newRecord } from '../../support/stores.ts';

const NOW = 1_000_000;

const keys = [
  newRecord({ name: 'Beta', createdBy: 'zoe', createdAt: 1, expiresAt: NOW + 5 }),
  newRecord({ name: 'alpha', createdBy: 'yan', createdAt: 3 }),
  newRecord({ name: 'alpine', createdBy: 'yan', createdAt: 2, expiresAt: NOW - 5 }),
  newRecord({ name: 'gone', state: 'revoked', revokedAt: NOW - 1, createdBy: 'xu', createdAt: 4 }),
  newRecord({ name: 'retired', replacedBy: '1', retireAt: NOW, createdBy: 'xu', createdAt: 5 }),
  newRecord({
    name: 'retiring',
    replacedBy: '1',
    retireAt: NOW + 1,
    createdBy: 'xu',
    createdAt: 6,
    expiresAt: NOW + 9,
  }),
];

const names = (query: KeyQuery): string[] => selectKeys(keys, query, NOW).map(({ name }) => name);

test('without a query, keys that were not deleted or replaced are listed by name', () => {
  assert.deepEqual(names({}), ['Beta', 'alpha', 'alpine', 'retiring']);
});

test('all keys are listed when tombstones are wanted, too', () => {
  assert.deepEqual(names({ all: true }), ['Beta', 'alpha', 'alpine', 'gone', 'retired', 'retiring']);
});

test('keys are sorted by what is asked for, and by name where that is the same', () => {
  assert.deepEqual(names({ sort: 'name' }), ['Beta', 'alpha', 'alpine', 'retiring']);
  assert.deepEqual(names({ sort: 'creator' }), ['retiring', 'alpha', 'alpine', 'Beta']);
  assert.deepEqual(names({ sort: 'created' }), ['Beta', 'alpine', 'alpha', 'retiring']);
  assert.deepEqual(names({ sort: 'expiration' }), ['alpine', 'retiring', 'Beta', 'alpha']);
});

test('descending is the other way round, but for what is the same', () => {
  assert.deepEqual(names({ sort: 'name', descending: true }), ['retiring', 'alpine', 'alpha', 'Beta']);
  assert.deepEqual(names({ sort: 'creator', descending: true }), ['Beta', 'alpha', 'alpine', 'retiring']);
  assert.deepEqual(names({ sort: 'expiration', descending: true, limit: 2 }), ['alpha', 'Beta']);
});

test('a name is a part of it, in any case, or a pattern for the whole', () => {
  assert.deepEqual(names({ name: 'ET' }), ['Beta', 'retiring']);
  assert.deepEqual(names({ name: 'AL*' }), ['alpha', 'alpine']);
  assert.deepEqual(names({ name: 'alp??' }), ['alpha']);
  assert.deepEqual(names({ name: '*a*a' }), ['alpha']);
  assert.deepEqual(names({ name: 'b?t*a' }), ['Beta']);
  assert.deepEqual(names({ name: '*' }), names({}));
  assert.deepEqual(names({ name: 'et*' }), []);
  assert.deepEqual(names({ name: 'alpha?' }), []);
  assert.deepEqual(names({ name: 'alpha**' }), ['alpha']);
  assert.deepEqual(names({ name: '[a-z]' }), []);
});

test('a pattern of many stars takes no longer than others', () => {
  const long = [newRecord({ name: 'a'.repeat(100) })];
  assert.deepEqual(selectKeys(long, { name: `${'*a'.repeat(49)}*b` }, NOW), []);
});

test('a page is a part of the whole list', () => {
  assert.deepEqual(names({ limit: 2 }), ['Beta', 'alpha']);
  assert.deepEqual(names({ limit: 2, offset: 2 }), ['alpine', 'retiring']);
  assert.deepEqual(names({ limit: 2, offset: 4 }), []);
});

test('names are in the order of their code points, as the stores have them', () => {
  const sorted = ['', 'A', 'Z', 'a', 'a b', 'ab', 'ä', '\ud7ff', '\ue000', 'ﬀ', '\uffff', '😀', '😁'];
  const bytes = (text: string) => Buffer.from(text);
  assert.deepEqual(
    sorted.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))),
    sorted,
  );
  assert.deepEqual(sorted.toReversed().toSorted(compareTexts), sorted);
});
