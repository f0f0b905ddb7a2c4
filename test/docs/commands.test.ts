import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';

const root = join(import.meta.dirname, '../..');
// docs/cli.md is made of the commands themselves.
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'cli.md')
    .map((name) => `docs/${name}`),
];
const program = createProgram({ stdout: { write: () => true }, stderr: { write: () => true }, env: {} }, () => {});

/** What is wrong with a command line, as far as it can be told without running it. */
function faultOf(line: string): string | undefined {
  const words = line.split(/\s+/);
  let command: Command = program;
  let at = 1;
  for (; at < words.length; at++) {
    const next = command.commands.find((each) => each.name() === words[at] || each.aliases().includes(words[at] ?? ''));
    if (next === undefined) break;
    command = next;
  }
  if (command === program) return 'there is no such command';
  if (command.commands.length > 0 && at < words.length && /^[a-z]/.test(words[at] ?? ''))
    return `${command.name()} has no command ${words[at]}`;
  const known = new Set([...command.options, ...program.options].flatMap(({ long, short }) => [long, short]));
  for (const word of words.slice(at)) {
    const [flag] = /^--?[a-zA-Z][\w-]*/.exec(word) ?? [];
    if (flag !== undefined && !known.has(flag)) return `${command.name()} has no ${flag}`;
  }
  return undefined;
}

test('every command of keygate that a page shows is one, with flags that it has', () => {
  let count = 0;
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8');
    const inBlocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'));
    const inline = [...text.matchAll(/`(keygate [a-z][^`]*)`/g)].map(([, line = '']) => line);
    for (const part of [...inBlocks, ...inline].flatMap((line) => line.split(/[|;&)\\]|\$\(|<|  #/))) {
      // A variable may stand before it, or the folder that it is in.
      const [, line] = /^\s*(?:[A-Z_]+=\S+ )*(?:bin\/)?(keygate [a-z].*)$/.exec(part) ?? [];
      if (line === undefined) continue;
      assert.equal(faultOf(line.trim()), undefined, `${page}: ${line}`);
      count++;
    }
  }
  assert.ok(count > 80, String(count));
});

test('what is no command would be noticed', () => {
  assert.equal(faultOf('keygate ingestion-api-key describe 7 --id 7'), undefined);
  assert.equal(faultOf('keygate describe 7'), 'there is no such command');
  assert.equal(faultOf('keygate ingestion-api-key extend --id 7'), 'ingestion-api-key has no command extend');
  assert.equal(faultOf('keygate top --soruces 3'), 'top has no --soruces');
});
