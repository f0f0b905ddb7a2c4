import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectKeys } from '../../../src/keys/key-query.ts';
import type { KeyQuery } from '../../../src/keys/key-query.ts';
import { readKeys } from '../../../src/keys/read-keys.ts';
import { pageOf } from '../../../src/store/page-of.ts';
import { newRecord, revoked } from '../../support/stores.ts';

const NOW = 1_000_000;

/** Of every third, the name was given to two keys; every fourth was deleted. */
const records = Array.from({ length: 2_000 }, (_, i) => {
  const record = newRecord({ name: `${i % 2 === 0 ? 'even' : 'odd'} ${Math.floor(i / 1.5)}` });
  return i % 4 === 0 ? revoked(record, NOW) : record;
});

/** The first three, in another order than that of their names. */
const used = new Map(
  records
    .slice(0, 3)
    .map(({ id }, i) => [id, { lastUsedAt: NOW - ((i * 5) % 3), requests: 1, bytes: 1, sources: [] }] as const),
);

function setUp() {
  const looked: number[] = [];
  const store = {
    usage: { record: async () => {}, read: async () => used },
    list: async () => (looked.push(records.length), records),
    page: async (_kind: unknown, query: Parameters<typeof pageOf>[1]) => {
      looked.push(query.limit);
      return pageOf(records, query);
    },
  };
  return { looked, read: (query: KeyQuery) => readKeys(store, 'ingestion', query, NOW) };
}

test('a list that is read page by page is the same as one of all keys', async () => {
  const queries: KeyQuery[] = [
    { limit: 1 },
    { limit: 50 },
    { limit: 50, offset: 49 },
    { limit: 700, offset: 30 },
    { limit: 10, offset: 1_499 },
    { limit: 10, offset: 9_000 },
    { limit: 5_000 },
    { limit: 5, all: true },
    { limit: 900, all: true, offset: 1_000 },
    { limit: 3, name: 'odd*' },
    { limit: 3, name: 'odd 13', offset: 2 },
    { limit: 3, name: 'nobody' },
    { limit: 2, sort: 'created' },
    {},
  ];
  for (const query of queries) {
    const { read } = setUp();
    assert.deepEqual(await read(query), selectKeys(records, query, NOW), JSON.stringify(query));
  }
});

test('a first page by name reads little, however many keys there are', async () => {
  const { read, looked } = setUp();
  await read({ limit: 50 });
  assert.deepEqual(looked, [50, 100]);
});

test('keys that were never used come first by their last use, then those of the longest ago', async () => {
  const { read } = setUp();
  const ids = (await read({ sort: 'last-used', all: true })).map(({ id }) => id);
  const [first, second, third] = records.map(({ id }) => id);
  assert.deepEqual(ids.slice(-3), [second, third, first]);
  assert.equal(ids.length, records.length);
});
