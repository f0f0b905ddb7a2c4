import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExportersOptions } from './exporters.ts';
import type { Peer, PeerName, Place } from './peers.ts';
import { peakMibOf, usageOf } from './proc.ts';
import { LOAD_CORE, startScript } from './processes.ts';
import type { Started } from './processes.ts';
import type { PushersOptions } from './pushers.ts';
import { LABELS, table } from './report.ts';
import { startStalledSink } from './start-sink.ts';

/** What a server holds in memory while little or nothing moves. */
export interface Memory {
  readonly peer: PeerName;
  readonly startedMib: number;
  readonly idleMib: number;
  readonly stalledGrpcMib: number;
  readonly stalledHttpMib: number;
}

const IDLE_CONNECTIONS = 1_000;
export const CACHED_KEYS = 100_000;
const PUSHERS = 200;
const PUSHED_BYTES = 16_000_000;
const PUSH_MS = 8_000;
/** So that what was needed for a moment only has been given back. */
const SETTLE_MS = 3_000;
const IDLE_GOAL_MIB = 200;
const STALLED_GOAL_MIB = 300;

export async function measureMemory(peer: Peer, place: Place, keyTexts: readonly string[]): Promise<Memory> {
  const idle = await measureIdle(peer, place, keyTexts);
  const stalled = await startStalledSink();
  try {
    const stuck = { ...place, sink: stalled.sink };
    return {
      peer: peer.name,
      ...idle,
      stalledGrpcMib: await peakOfStalled(peer, stuck, 'grpc'),
      stalledHttpMib: await peakOfStalled(peer, stuck, 'http'),
    };
  } finally {
    await stalled.stop();
  }
}

/** Each key was sent once, and the connections that sent them stay. */
async function measureIdle(
  peer: Peer,
  place: Place,
  keyTexts: readonly string[],
): Promise<Pick<Memory, 'startedMib' | 'idleMib'>> {
  const running = await peer.start(place);
  try {
    const startedMib = usageOf(running.pid).rssMib;
    if (keyTexts.length === 0) return { startedMib, idleMib: Number.NaN };
    const { grpc: port } = running;
    const { directory, keys } = place;
    const warm = await sendOnce({ port, connections: 4, streams: 8 }, directory, keyTexts);
    const open = Array.from({ length: IDLE_CONNECTIONS }, () => keys.good.text);
    const idle = await sendOnce({ port, connections: IDLE_CONNECTIONS, streams: 1 }, directory, open);
    await delay(SETTLE_MS);
    const idleMib = usageOf(running.pid).rssMib;
    await Promise.all([warm, idle].map(({ stop }) => stop()));
    return { startedMib, idleMib };
  } finally {
    await running.stop();
  }
}

/** Sends one call with each of the keys; the connections stay open until they are stopped. */
async function sendOnce(
  how: Pick<ExportersOptions, 'port' | 'connections' | 'streams'>,
  directory: string,
  keyTexts: readonly string[],
): Promise<Started> {
  const keys = join(directory, 'many-keys');
  await writeFile(keys, keyTexts.join('\n'), { mode: 0o600 });
  const wanted: ExportersOptions = { ...how, bodyBytes: 200, keys };
  const exporters = startScript(LOAD_CORE, join(import.meta.dirname, 'exporters.ts'), [JSON.stringify(wanted)]);
  await exporters.line((line) => line.startsWith('{'));
  return exporters;
}

async function peakOfStalled(peer: Peer, place: Place, protocol: 'grpc' | 'http'): Promise<number> {
  const running = await peer.start(place);
  try {
    const wanted: PushersOptions = {
      protocol,
      port: running[protocol],
      key: place.keys.good.text,
      clients: PUSHERS,
      bytes: PUSHED_BYTES,
    };
    const pushers = startScript(LOAD_CORE, join(import.meta.dirname, 'pushers.ts'), [JSON.stringify(wanted)]);
    await Promise.race([delay(PUSH_MS), pushers.failed]);
    const peak = peakMibOf(running.pid);
    await pushers.stop();
    return peak;
  } finally {
    await running.stop();
  }
}

export function renderMemory(rows: readonly Memory[]): string {
  const cell = (mib: number, peer: PeerName, goal: number): string => {
    const isOurs = peer === 'wire' || peer === 'library';
    return `${mib.toFixed(0)} MiB${isOurs ? (mib <= goal ? ', goal met' : `, goal of ${goal} missed`) : ''}`;
  };
  return table(
    [
      'memory',
      'started',
      `${IDLE_CONNECTIONS.toLocaleString('en')} idle connections, ${CACHED_KEYS.toLocaleString('en')} keys in memory`,
      `${PUSHERS} gRPC clients push 16 MB each at a stalled collector, peak`,
      `${PUSHERS} HTTP/1.1 clients, peak`,
    ],
    rows.map(({ peer, startedMib, idleMib, stalledGrpcMib, stalledHttpMib }) => [
      LABELS[peer],
      `${startedMib.toFixed(0)} MiB`,
      Number.isNaN(idleMib) ? '' : cell(idleMib, peer, IDLE_GOAL_MIB),
      cell(stalledGrpcMib, peer, STALLED_GOAL_MIB),
      cell(stalledHttpMib, peer, STALLED_GOAL_MIB),
    ]),
  );
}
