import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goProgram, installedProgram, MissingTool } from '../../conformance/toolchain.ts';

const MANIFEST = join(import.meta.dirname, 'manifest.yaml');

/** A Collector of the components in manifest.yaml, once for each state of it. */
export function collectorProgram(cache: string): string {
  const manifest = readFileSync(MANIFEST);
  const built = join(cache, `otelcol-${createHash('sha256').update(manifest).digest('hex').slice(0, 12)}`);
  if (existsSync(built)) return built;
  const go = installedProgram('go', 'Go, to build a Collector');
  const builder = goProgram({
    folder: join(import.meta.dirname, 'builder'),
    package: 'go.opentelemetry.io/collector/cmd/builder',
  });
  console.log('building a Collector ...');
  const work = mkdtempSync(join(cache, 'build-'));
  try {
    writeFileSync(join(work, 'manifest.yaml'), manifest.toString().replace('output_path: .', `output_path: ${work}`));
    const args = ['--config', join(work, 'manifest.yaml')];
    const { status } = spawnSync(builder, args, {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, PATH: `${process.env['PATH']}:${join(go, '..')}` },
    });
    if (status !== 0) throw new MissingTool('The Collector could not be built: is the Go module proxy within reach?');
    renameSync(join(work, 'otelcol'), built);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return built;
}

/** That of the Collector, and of the components that are not of it: what the module proxy had. */
export function collectorVersions(): Readonly<Record<string, string>> {
  const versions = new Map(
    [...readFileSync(MANIFEST, 'utf8').matchAll(/\/(\w+) v(\S+)$/gm)].map(([, component, version]) => [
      component,
      version,
    ]),
  );
  const ofAll = versions.get('otlpexporter');
  const others = [...versions].filter(([, version]) => version !== ofAll);
  return Object.fromEntries([['OpenTelemetry Collector', ofAll], ...others]) as Record<string, string>;
}
