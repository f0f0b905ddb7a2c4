import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanups } from '../test/support/scope.ts';
import { createCertificate } from '../test/support/tls.ts';
import { startKnownKeys } from './known-keys.ts';
import type { Place } from './peers.ts';
import { canPin, LOAD_CORE, stopChildren } from './processes.ts';
import { startSink } from './start-sink.ts';

/** What stands around a gateway that is measured. */
export type Surroundings = Omit<Place, 'keygate'>;

/**
 * A directory, a Redis with so many keys, a certificate and the collector, for as long as the work with them takes. We ourselves stay
 * on the core of the load.
 */
export async function withSurroundings(
  name: string,
  keyCount: number,
  work: (around: Surroundings) => Promise<void>,
): Promise<void> {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
  else
    process.stderr.write('taskset is missing or there is one core: nothing is pinned, and the numbers say little.\n');
  const cleanups = new Cleanups();
  try {
    const directory = await mkdtemp(join(tmpdir(), `keygate-${name}-`));
    cleanups.after(() => rm(directory, { recursive: true, force: true }));
    const keys = await startKnownKeys(cleanups, keyCount);
    const { certPath, keyPath } = await createCertificate(cleanups);
    const bundlePath = join(directory, 'bundle.pem');
    const parts = await Promise.all([certPath, keyPath].map((file) => readFile(file, 'utf8')));
    await writeFile(bundlePath, parts.join('\n'), { mode: 0o600 });
    const place = { directory, keys, certificate: { certPath, keyPath, bundlePath } };
    await work({ ...place, sink: await startSink(place) });
  } finally {
    await stopChildren();
    await cleanups.run();
  }
}
