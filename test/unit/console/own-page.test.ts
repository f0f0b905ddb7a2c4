import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comesFromOwnPage } from '../../../src/console/own-page.ts';

const OWN = 'http://localhost:7070';

const judged = (method: string, headers: Record<string, string>): boolean => comesFromOwnPage({ method, headers }, OWN);

test('a change needs one sign of our own page, and no sign of another', () => {
  const cases: [headers: Record<string, string>, isOurs: boolean][] = [
    [{ origin: OWN, 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ origin: OWN }, true],
    [{}, false],
    [{ origin: OWN, 'sec-fetch-site': 'same-site' }, false],
    [{ origin: 'http://localhost:3000', 'sec-fetch-site': 'same-origin' }, false],
    [{ origin: 'http://localhost:3000' }, false],
    [{ origin: 'https://localhost:7070' }, false],
    [{ origin: 'null' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
  ];
  for (const method of ['POST', 'PATCH', 'DELETE', 'PUT', 'anything']) {
    for (const [headers, isOurs] of cases)
      assert.equal(judged(method, headers), isOurs, `${method} ${JSON.stringify(headers)}`);
  }
});

test('a read may come without a sign, since nobody else can see the answer, but not with one of another page', () => {
  assert.deepEqual(
    [
      judged('GET', {}),
      judged('HEAD', {}),
      judged('GET', { 'sec-fetch-site': 'same-site' }),
      judged('GET', { origin: 'null' }),
    ],
    [true, true, false, false],
  );
});
