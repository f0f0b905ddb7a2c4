import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from './scope.ts';

/** An empty folder, which goes with the test. */
export async function temporaryDirectory(t: Scope): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'keygate-test-')));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
