import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const CACHE = join(HERE, '../../../node_modules/.cache/dashboard-picture');
const PINS = ['package.json', 'package-lock.json'];

export interface Bundle {
  /** The page's script and style sheet, and what they load. */
  readonly folder: string;
  /** Grafana's icons, which its components ask for one by one. */
  readonly icons: string;
  readonly grafana: string;
}

/** The page with Grafana's components, which are installed once for each state of the lock file. */
export function bundlePage(): Bundle {
  const modules = join(install(), 'node_modules');
  const folder = join(CACHE, 'page');
  const { status } = spawnSync(
    join(modules, '.bin/esbuild'),
    [
      join(HERE, 'page/main.jsx'),
      '--bundle',
      '--format=esm',
      '--jsx=automatic',
      '--define:process.env.NODE_ENV="production"',
      '--define:global=window',
      '--loader:.woff=file',
      '--loader:.woff2=file',
      '--loader:.ttf=file',
      '--splitting',
      '--log-level=warning',
      `--outdir=${folder}`,
    ],
    // Where esbuild looks for what is not beside the page.
    { stdio: 'inherit', env: { ...process.env, NODE_PATH: modules } },
  );
  if (status !== 0) throw new Error('esbuild could not bundle the page');
  const { version } = JSON.parse(readFileSync(join(modules, '@grafana/ui/package.json'), 'utf8')) as {
    version: string;
  };
  return { folder, icons: join(modules, '@grafana/ui/dist/public'), grafana: version };
}

function install(): string {
  const hash = createHash('sha256');
  for (const file of PINS) hash.update(readFileSync(join(HERE, file)));
  const installed = join(CACHE, hash.digest('hex').slice(0, 12));
  if (existsSync(installed)) return installed;
  console.log('installing what the page is made of ...');
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'install-'));
  try {
    for (const file of PINS) cpSync(join(HERE, file), join(work, file));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status } = spawnSync('npm', args, { cwd: work, stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error('npm could not install what the page is made of: is its registry within reach?');
    renameSync(work, installed);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return installed;
}
