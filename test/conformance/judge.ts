import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLANE } from './subject.ts';

/** A case of somebody else's suite, and how it went. */
export interface Case {
  /** Where the requirement stands and what was done: "http2/5.1.1 Sends even-numbered stream identifier". */
  readonly name: string;
  /** What came instead; undefined if it passed. */
  readonly failure: string | undefined;
}

/** One that fails, and why that is right, or is not ours to change. */
interface Allowed {
  readonly case: string;
  readonly planes: readonly string[];
  /** Absent: over both. */
  readonly over?: 'cleartext' | 'TLS';
  readonly why: string;
}

/**
 * A case that fails must be on the suite's list of those that may, and one that is on it must fail: the list says what is
 * true. A suite that ran fewer cases than it has, has shown nothing.
 */
export function judge(
  suite: 'h2spec' | 'httpwg',
  over: 'cleartext' | 'TLS',
  cases: readonly Case[],
  all: number,
): void {
  const list = JSON.parse(
    readFileSync(join(import.meta.dirname, `${suite}-allowed.json`), 'utf8'),
  ) as readonly Allowed[];
  const allowed = list
    .filter((one) => one.planes.includes(PLANE) && (one.over ?? over) === over)
    .map((one) => one.case);
  const failed = cases.filter(({ failure }) => failure !== undefined);
  const unexpected = failed.filter(({ name }) => !allowed.includes(name));
  for (const { name, failure } of unexpected) console.log(`  FAILED ${name}\n    ${failure}`);
  console.log(`  ${cases.length} cases, ${failed.length} failed, ${allowed.length} may`);
  assert.deepEqual(
    {
      failed: unexpected.map(({ name }) => name),
      passedThoughAllowedToFail: allowed.filter((name) => !failed.some((one) => one.name === name)),
      cases: cases.length,
    },
    { failed: [], passedThoughAllowedToFail: [], cases: all },
  );
}
