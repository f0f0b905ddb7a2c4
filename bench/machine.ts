import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

/** Where it was measured, and what with. */
export function describeMachine(): string {
  const cores = cpus();
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  const versions = [
    `Node ${process.version.slice(1)}`,
    versionOf('nginx', ['-v'], 'nginx'),
    versionOf('haproxy', ['-v'], 'HAProxy'),
    versionOf('h2load', ['--version'], 'h2load'),
    versionOf('redis-server', ['--version'], 'Redis'),
  ];
  return `${cores.length} x ${cores[0]?.model ?? 'unknown CPU'}, ${gib} GiB, ${type()} ${release()}; ${versions.join(', ')}.`;
}

function versionOf(command: string, args: readonly string[], name: string): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return `${name} ${/\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? 'of an unknown version'}`;
}
