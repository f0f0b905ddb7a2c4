import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installedProgram, MissingTool } from '../conformance/toolchain.ts';

/** The Python of an environment that has what this file pins; made below `cache`, once for each state of it. Throws MissingTool. */
export function pythonWith(requirements: string, cache: string): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const folder = join(cache, `python-${hash.slice(0, 12)}`);
  const python = join(folder, 'bin/python');
  const done = join(folder, '.made');
  if (existsSync(done)) return python;
  const system = installedProgram('python3', 'Python 3 with venv and pip');
  console.log(`installing ${requirements} from the Python package index ...`);
  rmSync(folder, { recursive: true, force: true });
  run(system, '-m', 'venv', folder);
  run(python, '-m', 'pip', 'install', '--quiet', '--no-input', '-r', requirements);
  writeFileSync(done, '');
  return python;
}

function run(program: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = `${stdout}${stderr}`.trim().split('\n').at(-1) ?? '';
  throw new MissingTool(`python ${args.slice(0, 3).join(' ')} failed, is the package index within reach? ${why}`);
}
