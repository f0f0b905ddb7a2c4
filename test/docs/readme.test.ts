import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';

const root = dirname(dirname(import.meta.dirname));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('every command that the README shows for the CLI works as it is written', async (t) => {
  const [, block = ''] = /<!-- executed by test\/docs\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  const commands = block.split('\n').filter(Boolean);
  assert.ok(commands.length >= 4, 'the README has lost its commands');
  const directory = await mkdtemp(join(tmpdir(), 'keygate-readme-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const env = { ...process.env, KEYGATE_STORE_SQLITE_PATH: join(directory, 'keygate.db') };
  const output: string[] = [];
  for (const command of commands) {
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: root, env });
    output.push(stdout);
  }
  assert.match(output[0] ?? '', /^✅ Ingestion API Key generated: iapikeyok-[0-9A-Za-z]{38}\n/);
  assert.match(output[1] ?? '', /^ID +\| NAME +\| EXPIRATION \| DESCRIPTION/);
});

test('the gateway configuration in the README is valid', () => {
  const yamlBlocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => parse(text) as object);
  const [gateway, sender] = yamlBlocks;
  assert.equal(configSchema.safeParse(gateway).error, undefined);
  assert.ok(sender && 'exporters' in sender && 'extensions' in sender);
});

test('every file that the README links to is there', async () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, target = '']) => target);
  assert.ok(links.length > 8);
  for (const link of links) await access(join(root, link));
});
