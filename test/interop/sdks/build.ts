import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installedProgram, MissingTool } from '../../conformance/toolchain.ts';
import type { Site } from '../neighbour.ts';
import { pythonWith } from '../python.ts';

/** Programs made of a folder in which their dependencies are pinned; each is made once for each state of that folder. */

export type Toolchain = (site: Site, sources: string) => readonly [program: string, ...args: string[]];

/** The folder with what was made. It is made where it stays: some of these tools write down where they are. */
function once(site: Site, sources: string, make: (folder: string) => void): string {
  const files = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'neighbour.ts')
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(sources.length)).update(readFileSync(file));
  const folder = join(site.cache, hash.digest('hex').slice(0, 12));
  const done = join(folder, '.made');
  if (existsSync(done)) return folder;
  site.say('building, once ...');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(sources, folder, { recursive: true });
  make(folder);
  writeFileSync(done, '');
  return folder;
}

function run(folder: string, program: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status === 0) return;
  const why = `${stdout}${stderr}`.trim().split('\n').slice(-3).join(' ');
  throw new MissingTool(`${program.split('/').at(-1)} ${args[0]} failed, is the registry within reach? ${why}`);
}

/** A module with a program at its root. */
export const buildGo: Toolchain = (site, sources) => {
  const go = installedProgram('go', 'Go');
  const folder = once(site, sources, (folder) =>
    run(folder, go, 'build', '-buildvcs=false', '-trimpath', '-o', 'program', '.'),
  );
  return [join(folder, 'program')];
};

/** sender.py, in an environment of its own. */
export const buildPython: Toolchain = (site, sources) => {
  const python = pythonWith(join(sources, 'requirements.txt'), site.cache);
  return [join(dirname(python), 'opentelemetry-instrument'), python, join(sources, 'sender.py')];
};

/** The class Sender; Maven is needed only to build it. */
export const buildJava: Toolchain = (site, sources) => {
  const java = installedProgram('java', 'a JDK');
  const folder = once(site, sources, (folder) => {
    const maven = installedProgram('mvn', 'Maven');
    run(folder, maven, '--batch-mode', '--quiet', 'compile', 'dependency:copy-dependencies');
  });
  const classes = [join(folder, 'target/classes'), join(folder, 'target/dependency/*')].join(':');
  return [java, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classes, 'Sender'];
};

/** A crate with a binary called sender. */
export const buildRust: Toolchain = (site, sources) => {
  const cargo = installedProgram('cargo', 'Cargo (Rust)');
  const folder = once(site, sources, (folder) => {
    run(folder, cargo, 'build', '--quiet', '--locked', '--jobs', '2');
    cpSync(join(folder, 'target/debug/sender'), join(folder, 'sender'));
    rmSync(join(folder, 'target'), { recursive: true });
  });
  return [join(folder, 'sender')];
};

/** The folder with node_modules beside the sources; when they are there, one of their programs may have something to do. */
export function installNpm(site: Site, sources: string, [program, ...args]: readonly string[] = []): string {
  const npm = installedProgram('npm', 'npm');
  return once(site, sources, (folder) => {
    run(folder, npm, 'ci', '--no-audit', '--no-fund', '--ignore-scripts');
    if (program !== undefined) run(folder, join(folder, 'node_modules/.bin', program), ...args);
  });
}

/** The version that a file pins; the pattern has one group. */
export function pinned(file: string, pattern: RegExp): string {
  const version = pattern.exec(readFileSync(file, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${file} pins nothing like ${pattern}`);
  return version;
}
