import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What docs/senders.md shows, the script of `npm run test:interop` that runs it, and how that names it. */
const SHOWN = {
  'config/prometheus/remote-write.yaml': ['test/interop/prometheus/senders.ts', 'config/prometheus/remote-write.yaml'],
  'config/telegraf/keygate.conf': ['test/interop/telegraf/telegraf.ts', "'telegraf', 'keygate.conf'"],
  'config/syslog-ng/keygate.conf': ['test/interop/log-shippers/syslog-ng.ts', "'syslog-ng', 'keygate.conf'"],
} as const;

for (const [file, [script, name]] of Object.entries(SHOWN)) {
  test(`docs/senders.md shows ${file} word for word, as it is run`, () => {
    assert.ok(read('docs/senders.md').includes(`\n${read(file)}\`\`\``));
    assert.ok(read(script).includes(name));
  });
}
