import { dirname, join } from 'node:path';
import { fill } from './peers.ts';
import type { Place } from './peers.ts';
import { freePort, LOAD_CORE, startProgram, startScript, untilListening } from './processes.ts';

const root = dirname(import.meta.dirname);

/** The collector behind all that is measured: a reader of frames for gRPC, nginx for HTTP/1.1. */
export async function startSink(place: Omit<Place, 'sink'>): Promise<Place['sink']> {
  const { line } = await startScript(LOAD_CORE, join(root, 'bench/sink.ts'), [], (each) => each.startsWith('{'));
  const sink = { grpc: Number(JSON.parse(line).grpc), http: await freePort() };
  const file = await fill('sink.conf', 'sink.conf', { ...place, sink }, {});
  const nginx = startProgram(LOAD_CORE, 'nginx', ['-c', file, '-p', place.directory, '-e', 'stderr']);
  await untilListening(sink.http, nginx);
  return sink;
}
