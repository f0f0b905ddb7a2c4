import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigFiles } from '../../../src/cli/config-files.ts';
import { watchConfig } from '../../../src/cli/watch-config.ts';
import type { LoadResult } from '../../../src/config/load.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { until } from '../../support/wait.ts';

const LOADED: LoadResult = { ok: false, faults: [] };

test('what is asked for while a configuration is taken is done once more, after it', async (t) => {
  const files = new ConfigFiles();
  const taken = Promise.withResolvers<void>();
  let loads = 0;
  let underWay = 0;
  const watch = watchConfig({
    files,
    load: () => {
      loads += 1;
      return LOADED;
    },
    async loaded() {
      assert.equal((underWay += 1), 1);
      await taken.promise;
      underWay -= 1;
    },
  });
  t.after(() => watch.stop());
  watch.reload();
  await until('the first one is under way', () => underWay === 1);
  for (let i = 0; i < 5; i++) watch.reload();
  assert.equal(loads, 1);
  taken.resolve();
  await until('the second one is done', () => loads === 2 && underWay === 0);
});

test('once it is stopped, nothing is read any more', async (t) => {
  const path = join(await temporaryDirectory(t), 'keygate.yaml');
  writeFileSync(path, 'a');
  const files = new ConfigFiles();
  files.read(path);
  let loads = 0;
  const load = (): LoadResult => ((loads += 1), LOADED);
  const watch = watchConfig({ files, load, loaded: async () => {} });
  watch.stop();
  watch.reload();
  assert.equal(loads, 0);
});

test('what came through a pipe is not taken for an empty configuration when it is asked for again', async (t) => {
  const pipe = join(await temporaryDirectory(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  execFileSync('sh', ['-c', '(echo a > "$1") > /dev/null 2>&1 < /dev/null &', 'sh', pipe]);
  const files = new ConfigFiles();
  files.read(pipe);
  const results: LoadResult[] = [];
  const watch = watchConfig({
    files,
    load: () => assert.fail('it is read again'),
    async loaded(result) {
      results.push(result);
    },
  });
  t.after(() => watch.stop());
  watch.reload();
  await until('it is told', () => results.length === 1);
  assert.deepEqual(results, [
    {
      ok: false,
      faults: [
        {
          path: '',
          message:
            'This is no file that can be read again, such as a pipe. Put the configuration into files, and restart.',
          where: pipe,
        },
      ],
    },
  ]);
});
