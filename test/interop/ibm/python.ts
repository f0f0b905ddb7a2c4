import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installedProgram, MissingTool } from '../../conformance/toolchain.ts';
import type { Site } from '../neighbour.ts';

/** The Python of an environment that has what this file pins; made once for each state of it. */
export function pythonWith(site: Site, requirements: string): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const folder = join(site.cache, `python-${hash.slice(0, 12)}`);
  const python = join(folder, 'bin/python');
  const done = join(folder, '.made');
  if (existsSync(done)) return python;
  site.say('installing from the Python package index, once ...');
  rmSync(folder, { recursive: true, force: true });
  run(installedProgram('python3', 'Python 3'), '-m', 'venv', folder);
  run(join(folder, 'bin/pip'), 'install', '--quiet', '--no-input', '-r', requirements);
  writeFileSync(done, '');
  return python;
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = stderr.trim().split('\n').at(-1) ?? '';
  throw new MissingTool(`${args.slice(0, 2).join(' ')} failed, is the package index within reach? ${why}`);
}
