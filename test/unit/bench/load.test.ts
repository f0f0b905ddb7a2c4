import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAnswers, readH2load, readLatencies } from '../../../bench/load.ts';

const OUTPUT = `starting benchmark...
Main benchmark duration is started for thread #0.

finished in 2.00s, 73656.00 req/s, 4.71MB/s
requests: 147312 total, 147312 started, 147312 done, 147312 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 147312 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 9.41MB (9870256) total, 2.81MB (2946248) headers (space savings 47.37%), 719.30KB (736560) data
`;

test('what h2load says is read', () => {
  assert.deepEqual(readH2load(OUTPUT), { requests: 147_312, dataBytes: 736_560 });
});

test('anything but success of every request fails', () => {
  const broken = [
    OUTPUT.replace('147312 2xx, 0 3xx, 0 4xx', '147311 2xx, 0 3xx, 1 4xx'),
    OUTPUT.replace('147312 succeeded, 0 failed', '147310 succeeded, 2 failed'),
    OUTPUT.replace('0 errored', '1 errored'),
    OUTPUT.replace('0 timeout', '1 timeout'),
    OUTPUT.replaceAll('147312', '0'),
    '',
  ];
  for (const output of broken) assert.throws(() => readH2load(output));
});

test('a gRPC answer without the collector’s message is a refusal, whatever its HTTP status says', () => {
  checkAnswers(100, 500, 16);
  checkAnswers(100, 505, 16); // one more came after the end
  assert.throws(() => checkAnswers(100, 495, 16), /of 100 gRPC calls 1 were answered without/);
  assert.throws(() => checkAnswers(100, 0, 16));
});

test('latencies come from the log of all requests', () => {
  const log = Array.from({ length: 100 }, (_, i) => `1763730000000000\t200\t${(i + 1) * 1_000}\n`).join('');
  assert.deepEqual(readLatencies(log), { p50Ms: 50, p99Ms: 99 });
});

test('a single failure in the log of a paced load fails it', () => {
  assert.throws(() => readLatencies('1\t200\t5\n1\t503\t5\n'), /answered with 503/);
  assert.throws(() => readLatencies('1\t-1\t5\n'), /answered with -1/);
});
