import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { reasons, row } from '../../src/verdict/reasons.ts';
import type { Reason } from '../../src/verdict/reasons.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

interface Line {
  readonly verdict: string;
  readonly reason: string;
  readonly http: number;
  readonly grpc: number;
  readonly retry: string;
  readonly advice: readonly string[];
}

/** The rows of both tables, with the verdict that the heading above them names. */
function readLines(): Line[] {
  let verdict = '';
  const lines: Line[] = [];
  for (const text of page.split('\n')) {
    if (text.startsWith('### Denied')) verdict = 'deny';
    if (text.startsWith('### Undecided')) verdict = 'undecided';
    const [, reason, http, grpc, retry = '', ...advice] = text.split('|').map((cell) => cell.trim());
    const name = /^`([a-z_]+)`$/.exec(reason ?? '')?.[1];
    if (name !== undefined)
      lines.push({ verdict, reason: name, http: Number(http), grpc: Number(grpc), retry, advice: advice.slice(0, 2) });
  }
  return lines;
}

test('the page has every reason of the table once, and no other', () => {
  const onPage = readLines().map(({ reason }) => reason);
  assert.deepEqual(onPage.toSorted(), reasons.toSorted());
});

test('verdict, statuses and retry hint on the page are those of the table', () => {
  for (const { verdict, reason, http, grpc, retry } of readLines()) {
    const { retrySeconds, ...expected } = row(reason as Reason);
    assert.deepEqual(
      { reason, verdict, http, grpc, retry: /^\d/.test(retry) ? retry : 'none' },
      {
        reason,
        verdict: expected.verdict,
        http: expected.http,
        grpc: expected.grpc,
        retry: retrySeconds ? `${retrySeconds[0]}-${retrySeconds[1]} s` : 'none',
      },
    );
  }
});

test('every reason tells the sender and the operator what to do', () => {
  for (const { reason, advice } of readLines()) {
    assert.equal(advice.length, 2, reason);
    for (const text of advice) assert.ok(text.length > 4, `${reason} has no advice: "${text}"`);
  }
});
