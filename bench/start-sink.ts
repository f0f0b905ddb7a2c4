import { dirname, join } from 'node:path';
import { fill } from './peers.ts';
import type { Place } from './peers.ts';
import { freePort, LOAD_CORE, startChild, startProgram, startScript, untilListening } from './processes.ts';

const root = dirname(import.meta.dirname);

const isPorts = (line: string): boolean => line.startsWith('{');

/** The collector behind all that is measured: a reader of frames for gRPC, nginx for HTTP/1.1. */
export async function startSink(place: Omit<Place, 'sink' | 'keygate'>): Promise<Place['sink']> {
  const { grpc } = JSON.parse(await startChild(LOAD_CORE, join(root, 'bench/sink.ts'), [], isPorts)) as {
    grpc: number;
  };
  const sink = { grpc, http: await freePort() };
  const file = await fill('sink.conf', 'sink.conf', { ...place, sink }, {});
  const nginx = startProgram(LOAD_CORE, 'nginx', ['-c', file, '-p', place.directory, '-e', 'stderr']);
  await untilListening(sink.http, nginx);
  return sink;
}

/** One that accepts everything and takes nothing. */
export async function startStalledSink(): Promise<{
  readonly sink: Place['sink'];
  readonly stop: () => Promise<void>;
}> {
  const started = startScript(LOAD_CORE, join(root, 'bench/stalled-sink.ts'), []);
  return { sink: JSON.parse(await started.line(isPorts)) as Place['sink'], stop: started.stop };
}
