import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = (name: string): string => readFileSync(join(ROOT, 'docs', name), 'utf8');
const secret = randomBytes(32).toString('base64');

for (const [file, env] of Object.entries({
  'config/groundcover.yaml': {
    KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_ID: '2026',
    KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_SECRET: secret,
  },
  'config/ibm-cloud-logs.yaml': { KEYGATE_KEYS_TOKENS_SECRET: secret },
})) {
  test(`${file} is a configuration that a gateway starts with, given its secret`, () => {
    const loaded = loadConfig({ file: join(ROOT, file), env, dev: false });
    assert.ok(loaded.ok, JSON.stringify(!loaded.ok && loaded.faults));
  });
}

test('docs/groundcover.md names the carriers that config/groundcover.yaml has, and which types read', () => {
  const { ok, ...loaded } = loadConfig({
    file: join(ROOT, 'config/groundcover.yaml'),
    env: { KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_ID: 'a', KEYGATE_KEYS_REVEALABLE_ENCRYPTION_KEY_SECRET: secret },
    dev: false,
  });
  assert.ok(ok && 'config' in loaded);
  assert.ok(page('groundcover.md').includes(`carriers: [${loaded.config.keys.carriers.join(', ')}]`));
});
