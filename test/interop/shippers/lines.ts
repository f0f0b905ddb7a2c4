import { appendFileSync, writeFileSync } from 'node:fs';
import type { Scope } from '../../support/scope.ts';

const LINE_EVERY_MS = 50;

export interface Lines {
  /** What is different in each line. */
  readonly name: string;
  /** A line with this in it. */
  readonly toLine?: (text: string) => string;
}

/** Writes a file of log as programs do, a line every 50 ms; gives what was in it at that moment, without the rest of each line. */
export function writeLines(
  scope: Scope,
  file: string,
  { name, toLine = (text) => text }: Lines,
): (untilMs: number) => string[] {
  const lines: { readonly text: string; readonly atMs: number }[] = [];
  writeFileSync(file, '');
  const writing = setInterval(() => {
    const line = { text: `${name}${lines.length}`, atMs: Date.now() };
    lines.push(line);
    appendFileSync(file, `${toLine(line.text)}\n`);
  }, LINE_EVERY_MS);
  scope.after(() => clearInterval(writing));
  return (untilMs) => lines.filter(({ atMs }) => atMs <= untilMs).map(({ text }) => text);
}
