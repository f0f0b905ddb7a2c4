import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cleanups } from '../support/scope.ts';
import type { Neighbour, Report } from './neighbour.ts';
import { cellsOf, count, neighbourNames, PAGE, readResults, renderPage, renderTable, RESULTS } from './page.ts';
import type { Result } from './page.ts';

/**
 * `npm run test:interop [-- name ...] [-- --write]`: runs neighbours, all or some, and prints what was seen. `--write` keeps it in
 * results/ and writes docs/interop.md anew. It fails if any cell does, or if any script does.
 */

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/interop');
/** Longer than the longest of them with everything still to be built. */
const LIMIT_MS = 30 * 60_000;

const known = neighbourNames();
const words = process.argv.slice(2);
const flags = words.filter((word) => word.startsWith('--'));
const wanted = words.filter((word) => !word.startsWith('--'));
const strangers = wanted.filter((name) => !known.includes(name));
if (strangers.length > 0) {
  console.error(`There is no neighbour ${strangers.join(', ')}. There are: ${known.join(', ')}.`);
  process.exit(2);
}

const faults: string[] = [];
for (const name of wanted.length > 0 ? wanted : known) {
  const started = Date.now();
  const { neighbour } = (await import(`./${name}/neighbour.ts`)) as { neighbour: Neighbour };
  console.log(`\n== ${neighbour.title} (${name})`);
  try {
    const report = await withinLimit(name, neighbour);
    tell(report, Date.now() - started);
    if (count(report.tables, 'fail') > 0) faults.push(`${name}: ${count(report.tables, 'fail')} cells failed`);
    if (cellsOf(report.tables).length === 0) faults.push(`${name}: it showed nothing`);
    if (flags.includes('--write')) keep(name, neighbour, report);
  } catch (error) {
    console.error(error);
    faults.push(`${name}: its script failed`);
  }
}
if (flags.includes('--write')) writeFileSync(PAGE, renderPage(readResults()));
for (const fault of faults) console.error(fault);
process.exit(faults.length > 0 ? 1 : 0);

async function withinLimit(name: string, neighbour: Neighbour): Promise<Report> {
  const cache = join(CACHE, name);
  mkdirSync(cache, { recursive: true });
  const scope = new Cleanups();
  const say = (line: string): void => console.log(`   ${line}`);
  const tooLong = delay(LIMIT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`${name} took longer than ${LIMIT_MS / 60_000} minutes`);
  });
  try {
    return await Promise.race([neighbour.run({ scope, cache, flags, say }), tooLong]);
  } finally {
    await scope.run();
  }
}

function tell(report: Report, tookMs: number): void {
  for (const table of report.tables) console.log(`\n${renderTable(table)}`);
  const counts = (['pass', 'fail', 'not installable'] as const).map(
    (outcome) => `${count(report.tables, outcome)} ${outcome}`,
  );
  console.log(`${counts.join(', ')}, in ${Math.round(tookMs / 1_000)} s`);
}

function keep(name: string, { title, about }: Neighbour, report: Report): void {
  const result: Result = { name, title, about, day: new Date().toISOString().slice(0, 10), ...report };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
