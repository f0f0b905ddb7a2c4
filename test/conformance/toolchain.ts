import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Programs of others that the suites run: from Debian, or built by Go from a module that pins them in go.mod and go.sum.
 * What is built stays in node_modules/.cache; Go's own caches are where Go keeps them.
 */

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/conformance');

/** A suite without what it needs says what that is, and fails, if it catches nothing: it has shown nothing. */
export class MissingTool extends Error {
  constructor(what: string) {
    super(what);
    // What is missing is missing on the machine: where in the suite it was noticed helps nobody.
    this.stack = what;
  }
}

function miss(what: string): never {
  throw new MissingTool(what);
}

/** The path of a program of Debian's, installed first if it is not there. */
export function debianProgram(program: string, packageName = program): string {
  const found = findProgram(program);
  if (found !== undefined) return found;
  if (findProgram('apt-get') === undefined || process.getuid?.() !== 0) {
    miss(`This suite needs ${program} on the PATH: install it, or run the suite as root on Debian.`);
  }
  installDebian(packageName);
  return (
    findProgram(program) ?? miss(`Debian's ${packageName} was installed, but ${program} is still not on the PATH.`)
  );
}

/** The path of a shared library of Debian's, installed first if it is not there. */
export function debianLibrary(library: string, packageName: string): string {
  const found = findLibrary(library);
  if (found !== undefined) return found;
  if (findProgram('apt-get') === undefined || process.getuid?.() !== 0) {
    miss(`This suite needs ${library}: install it, or run the suite as root on Debian.`);
  }
  installDebian(packageName);
  return findLibrary(library) ?? miss(`Debian's ${packageName} was installed, but ${library} is still not there.`);
}

function installDebian(packageName: string): void {
  console.log(`installing ${packageName} ...`);
  // RUNLEVEL=1 keeps packages from starting servers of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  // Nothing goes for it that is there, as one syslog does for another.
  const install = ['install', '-qq', '-y', '--no-install-recommends', '--no-remove', packageName];
  try {
    execFileSync('apt-get', install, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    miss(`Debian's ${packageName} cannot be installed here: apt-get has said why.`);
  }
}

/** Where Debian has libraries, whichever the machine's architecture. */
function findLibrary(library: string): string | undefined {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'));
  return folders.map((folder) => join('/usr/lib', folder, library)).find((path) => existsSync(path));
}

const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program that must be there, because nothing here can install it. */
export function installedProgram(program: string, what: string): string {
  return findProgram(program) ?? miss(`This needs ${what}: there is no ${program} on the PATH.`);
}

function findProgram(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...SBIN];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** A text in the sources of a program, and what stands there instead; it must be there exactly once. */
export interface Edit {
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

export interface GoProgram {
  /** The folder with go.mod and go.sum: its path, or how it is reached from here. */
  readonly folder: string;
  /** The package that is built. */
  readonly package: string;
  /** Which parts of it are built, in its own words. */
  readonly tags?: readonly string[];
  /** What is changed in it, by the path of each file below `vendor`. */
  readonly edits?: readonly Edit[];
}

/** The path of a program that Go builds; a build is done once for each state of its sources. */
export function goProgram({ folder, package: name, tags = [], edits = [] }: GoProgram): string {
  const sources = resolve(import.meta.dirname, folder);
  const hash = createHash('sha256').update(JSON.stringify([name, edits, ...tags]));
  for (const file of readdirSync(sources).filter((file) => /\.(?:go|mod|sum)$/.test(file))) {
    hash.update(readFileSync(join(sources, file)));
  }
  const built = join(CACHE, `${name.slice(name.lastIndexOf('/') + 1)}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(built)) return built;
  const go =
    findProgram('go') ?? miss(`This suite needs Go (see ${folder}/go.mod) and its module proxy, to build ${name}.`);
  console.log(`building ${name} ...`);
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'build-'));
  try {
    cpSync(sources, work, { recursive: true });
    const run = (...args: string[]): void => {
      const { status } = spawnSync(go, args, { cwd: work, stdio: ['ignore', 'inherit', 'inherit'] });
      if (status !== 0) miss(`go ${args[0]} failed: is the Go module proxy within reach?`);
    };
    if (edits.length > 0) run('mod', 'vendor');
    for (const edit of edits) apply(join(work, 'vendor', edit.file), edit);
    run('build', '-buildvcs=false', '-trimpath', `-tags=${tags.join(',')}`, '-o', 'program', name);
    renameSync(join(work, 'program'), built);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return built;
}

function apply(file: string, { text, instead }: Edit): void {
  const parts = readFileSync(file, 'utf8').split(text);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once: ${text}`);
  writeFileSync(file, parts.join(instead));
}

export interface CargoProgram {
  readonly crate: string;
  readonly version: string;
  readonly program: string;
}

/** The path of a program that Cargo builds from the registry, with the dependencies that its authors locked. */
export function cargoProgram({ crate, version, program }: CargoProgram): string {
  const root = join(CACHE, `${crate}-${version}`);
  const built = join(root, 'bin', program);
  if (existsSync(built)) return built;
  const cargo = findProgram('cargo') ?? miss(`This suite needs Cargo (Rust) and its registry, to build ${crate}.`);
  console.log(`building ${crate} ...`);
  const install = ['install', '--quiet', '--locked', `${crate}@${version}`, '--root', root];
  const target = join(CACHE, 'cargo-target');
  const { status } = spawnSync(cargo, [...install, '--target-dir', target], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  rmSync(target, { recursive: true, force: true });
  if (status !== 0) miss(`${crate} ${version} could not be built: is the registry within reach, and Rust new enough?`);
  return built;
}
