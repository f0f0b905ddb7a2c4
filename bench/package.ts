import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);

/** What bin/keygate starts Node with, for whoever starts another script, or with more than that. */
export function nodeOptions(): readonly string[] {
  const script = readFileSync(join(root, 'bin/keygate'), 'utf8');
  const options = /^exec "\$node" ([^]*?)"\$main"/m.exec(script)?.[1]?.match(/--\S+/g);
  if (!options) throw new Error('bin/keygate does not say what it starts Node with');
  return options;
}

/** Packs what would be published and unpacks it there: the command that users have, without the stripping of types. */
export function installPackage(directory: string): string {
  const run = (command: string, ...args: readonly string[]): void => {
    execFileSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  run('npm', 'pack', '--silent', '--pack-destination', directory);
  const archive = readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '';
  run('tar', '-xzf', join(directory, archive), '-C', directory);
  symlinkSync(join(root, 'node_modules'), join(directory, 'package/node_modules'));
  return join(directory, 'package/bin/keygate');
}
