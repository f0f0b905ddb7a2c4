import { fuzz } from './engine.ts';
import { TARGETS } from './targets.ts';

/** `npm run fuzz -- [target] [seconds] [seed]`: each target in turn, or one of them. */
const [first, ...rest] = process.argv.slice(2);
const isNamed = first !== undefined && first in TARGETS;
const [seconds = '60', seed = String(Date.now() % 2 ** 31)] = isNamed
  ? rest
  : [first, ...rest].filter((each) => each !== undefined);
if (!(Number(seconds) > 0)) {
  console.error(`Usage: npm run fuzz -- [${Object.keys(TARGETS).join(' | ')}] [seconds] [seed]`);
  process.exit(2);
}

for (const name of isNamed ? [first] : Object.keys(TARGETS)) {
  const target = await (TARGETS[name] as (typeof TARGETS)[string])();
  const report = await fuzz(name, target, {
    seed: Number(seed),
    maxCases: Infinity,
    maxMs: Number(seconds) * 1_000,
    isGuided: true,
  });
  await target.close();
  const { cases, kept, findings, heapMb, handles } = report;
  console.log(
    `${name}: ${cases} cases, ${kept} inputs kept, live memory ${heapMb.join(' -> ')} MB, handles ${handles.join(' -> ')}, seed ${seed}`,
  );
  for (const finding of findings) console.log(finding);
  const isLeaking = heapMb[1] > heapMb[0] * 1.2 + 10 || handles[1] > handles[0] + 5;
  if (isLeaking) console.log(`${name}: something is left of every case`);
  if (findings.length > 0 || isLeaking) process.exitCode = 1;
}
process.exit();
