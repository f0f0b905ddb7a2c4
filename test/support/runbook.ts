import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from './scope.ts';

/** A page of docs/ as somebody who follows it sees it: its shell blocks, in their order. */
export interface Block {
  /** The heading above it. */
  readonly heading: string;
  readonly language: string;
  readonly text: string;
  /** Why it is not run, if a comment before it says so. */
  readonly notRun: string | undefined;
}

const BLOCK = /^(?<heading>#+ .*)$|(?:<!-- not run: (?<notRun>.*?) -->\n)?```(?<language>\w+)\n(?<text>[\s\S]*?)```/gm;

export function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  const blocks: Block[] = [];
  let heading = '';
  for (const { groups = {} } of text.matchAll(BLOCK)) {
    if (groups['heading'] !== undefined) heading = groups['heading'].replace(/^#+ /, '');
    else {
      const { language = '', text: body = '', notRun } = groups;
      blocks.push({ heading, language, text: body, notRun });
    }
  }
  return blocks;
}

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export interface Shell {
  /** The directory in which everything is run. */
  readonly directory: string;
  /** Runs what a page says; variables that it sets are there in the next one too. */
  run(text: string): Promise<Ran>;
}

export interface ShellOptions {
  /** What the page calls things, and what they are called here. */
  readonly names: readonly (readonly [onPage: string | RegExp, here: string])[];
  readonly env: Readonly<Record<string, string>>;
  /** Programs of the surroundings that are not here, as scripts. */
  readonly programs?: Readonly<Record<string, string>>;
}

const KEYGATE = join(import.meta.dirname, '../../bin/keygate');
const TIMEOUT_MS = 60_000;

/** A shell in an empty directory, in which `keygate` is this checkout's. */
export function openShell(scope: Scope, { names, env, programs = {} }: ShellOptions): Shell {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-shell-'));
  scope.after(() => rmSync(directory, { recursive: true, force: true }));
  const bin = mkdtempSync(join(tmpdir(), 'keygate-bin-'));
  scope.after(() => rmSync(bin, { recursive: true, force: true }));
  for (const [name, script] of Object.entries({ ...programs, keygate: `exec ${KEYGATE} "$@"` })) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const state = join(bin, '.state');
  writeFileSync(state, '');
  const { PATH = '' } = process.env;
  return {
    directory,
    async run(text) {
      const here = names.reduce((all, [onPage, name]) => all.replaceAll(onPage, name), text);
      const script = `set -a\n. ${state}\ncd ${directory}\n${here}\nexport -p > ${state}\n`;
      const child = spawn('sh', ['-e', '-c', script], {
        cwd: directory,
        env: { HOME: directory, ...env, PATH: `${bin}:${PATH}` },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: TIMEOUT_MS,
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => (output += part));
      child.stderr.setEncoding('utf8').on('data', (part: string) => (output += part));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, output };
    },
  };
}

export interface Page {
  readonly page: string;
  /** Only what is under this heading. */
  readonly heading?: string;
}

/** The shell blocks that are to be run, in their order. */
export function toRun({ page, heading }: Page): readonly Block[] {
  return blocksOf(page).filter(
    (block) =>
      block.language === 'sh' && block.notRun === undefined && (heading === undefined || block.heading === heading),
  );
}

/** Runs them one after the other; each has to succeed. Resolves with what each printed. */
export async function follow(shell: Shell, page: Page): Promise<readonly string[]> {
  const blocks = toRun(page);
  assert.ok(blocks.length > 0, `${page.page} has nothing to run under ${page.heading}`);
  const outputs: string[] = [];
  for (const { text } of blocks) {
    const { code, output } = await shell.run(text);
    assert.equal(code, 0, `${page.page}:\n${text}\n${output}`);
    outputs.push(output);
  }
  return outputs;
}

/** A log as `kubectl logs` prints it. */
export function textOf(lines: readonly Readonly<Record<string, unknown>>[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
