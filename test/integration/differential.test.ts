import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OVER_HTTP1, OVER_HTTP2, startTrial } from '../support/differential/trial.ts';

/**
 * The same bytes go to a gateway on each plane and to a plain Node server. What the wire plane lets on must be what the plain
 * server understood, and nothing that the library plane refuses; answers are the same but for the differences that are
 * written down. `npm run test:differential -- 20000` tries more of them, KEYGATE_DIFFERENTIAL_SEED the same ones again.
 */
const CASES = Number(process.env['KEYGATE_DIFFERENTIAL_CASES'] ?? 100);
const SEED = Number(process.env['KEYGATE_DIFFERENTIAL_SEED'] ?? Date.now() % 2 ** 31);

test(`what the planes make of the same bytes (seed ${SEED})`, async (t) => {
  const trial = await startTrial(t);
  await t.test('over HTTP/1.1', async () => assert.deepEqual(await trial.run(OVER_HTTP1, SEED, CASES), []));
  await t.test('over HTTP/2', async () => assert.deepEqual(await trial.run(OVER_HTTP2, SEED, CASES), []));
});
