import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../fuzz/engine.ts';
import { TARGETS } from '../fuzz/targets.ts';

/** The corpus, which holds an input for each fault that was ever found, and as many mutations as a second takes: `npm run fuzz` takes its time. */
const MAX_MS = 1_000;
const SEED = Number(process.env['KEYGATE_FUZZ_SEED'] ?? Date.now() % 2 ** 31);

for (const [name, open] of Object.entries(TARGETS)) {
  test(`whatever comes, it is survived, bounded, and gone afterwards: ${name} (seed ${SEED})`, async () => {
    const target = await open();
    const { findings, cases } = await fuzz(name, target, {
      seed: SEED,
      maxCases: 5_000,
      maxMs: MAX_MS,
      isGuided: false,
    });
    await target.close();
    assert.deepEqual(findings, []);
    assert.ok(cases > 0);
  });
}
