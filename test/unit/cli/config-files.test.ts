import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigFiles } from '../../../src/cli/config-files.ts';
import { placeAll, placeByRename } from '../../support/place-file.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('a file has changed when it says something else, not when it is touched', async (t) => {
  const path = join(await temporaryDirectory(t), 'keygate.yaml');
  writeFileSync(path, 'a');
  const files = new ConfigFiles();
  assert.equal(files.read(path), 'a');
  assert.equal(await files.haveChanged(), false);
  await placeByRename(path, 'a');
  assert.equal(await files.haveChanged(), false);
  await placeByRename(path, 'b');
  assert.equal(await files.haveChanged(), true);
});

test('a file that could not be read has changed when it can be', async (t) => {
  const path = join(await temporaryDirectory(t), 'tls.crt');
  const files = new ConfigFiles();
  assert.throws(() => files.read(path), { code: 'ENOENT' });
  assert.equal(await files.haveChanged(), false);
  writeFileSync(path, 'a certificate');
  assert.equal(await files.haveChanged(), true);
});

test('a file that can no longer be read has changed', async (t) => {
  const path = join(await temporaryDirectory(t), 'tls.crt');
  writeFileSync(path, 'a certificate');
  const files = new ConfigFiles();
  files.read(path);
  rmSync(path);
  assert.equal(await files.haveChanged(), true);
});

test('in a mount of Kubernetes, the folder is told in which its link is swapped', async (t) => {
  const mount = await temporaryDirectory(t);
  await placeAll(mount, { 'keygate.yaml': 'a' });
  const files = new ConfigFiles();
  files.read(join(mount, 'keygate.yaml'));
  assert.ok(files.directories.has(mount));
  await placeAll(mount, { 'keygate.yaml': 'b' });
  assert.equal(await files.haveChanged(), true);
});

test('what comes through a pipe is known to be read only once', async (t) => {
  const directory = await temporaryDirectory(t);
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  execFileSync('sh', ['-c', `(echo a > "$1") > /dev/null 2>&1 < /dev/null &`, 'sh', pipe]);
  const files = new ConfigFiles();
  assert.equal(files.read(pipe), 'a\n');
  assert.equal(files.readOnce, pipe);
});
