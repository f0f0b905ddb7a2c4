import { spawnSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { debianProgram } from '../conformance/toolchain.ts';

/**
 * `npm run test:console`: Debian's Chromium uses the console of real gateways, as people do. What it saw is kept as pictures in
 * test/console/output. With `-- --pictures` it takes those of the documentation anew instead.
 */
const chromium = debianProgram('chromium');
const takesPictures = process.argv.includes('--pictures');

if (!takesPictures) rmSync(join(import.meta.dirname, 'output'), { recursive: true, force: true });
const files = takesPictures
  ? [join(import.meta.dirname, 'pictures.ts')]
  : globSync(join(import.meta.dirname, '*.test.ts')).toSorted();
const { status } = spawnSync(
  process.execPath,
  ['--disable-warning=DEP0060', '--test', '--test-concurrency=2', '--test-timeout=90000', ...files],
  {
    stdio: 'inherit',
    env: { ...process.env, KEYGATE_TEST_CHROMIUM: chromium },
  },
);
process.exitCode = status ?? 1;
