import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkConfig } from '../../../src/cli/check-config.ts';

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'keygate-check-'));
});
after(() => {
  rmSync(directory, { recursive: true });
});

function check(text: string, env: Record<string, string> = {}) {
  const file = join(directory, 'keygate.yaml');
  writeFileSync(file, text);
  let output = '';
  const exitCode = checkConfig({ file, env, write: (part) => (output += part) });
  return { exitCode, output: output.replaceAll(file, 'keygate.yaml') };
}

test('a good configuration is OK, and it is said where it came from', () => {
  assert.deepEqual(check('upstream: { grpc: "http://collector:4317" }\n', { KEYGATE_LOG_LEVEL: 'warn' }), {
    exitCode: 0,
    output: 'OK: the configuration is valid (keygate.yaml, KEYGATE_LOG_LEVEL; defaults for the rest).\n',
  });
});

test('all faults of a configuration are printed, and the exit code is 1', () => {
  assert.deepEqual(check('limits:\n  maxBdy: 1MiB\nlog:\n  level: loud\n'), {
    exitCode: 1,
    output: `\
The configuration has 3 faults:

  limits.maxBdy
    There is no such option. Did you mean maxBody?
    at keygate.yaml:2:3

  log.level = "loud"
    must be one of trace, debug, info, warn, error, fatal, silent
    at keygate.yaml:4:10

  upstream
    must name the collector: set upstream.grpc, such as http://collector:4317, or upstream.http, or both
`,
  });
});
