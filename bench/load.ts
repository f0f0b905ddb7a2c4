import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExportersOptions, ExportersResult } from './exporters.ts';
import { canPin, LOAD_CORE } from './processes.ts';
import { bodyOf, GRPC_PATH, HTTP_PATH } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { quantile } from './statistics.ts';

/** Load from h2load, for HTTP/2 and HTTP/1.1 alike, or from exporters.ts. Anything but success fails it. */

export interface Target {
  readonly port: number;
  readonly key: string;
  readonly isTls?: boolean;
}

export interface LoadOptions {
  readonly seconds: number;
  readonly directory: string;
  /** Of all connections together; as fast as it goes if absent. */
  readonly requestsPerSecond?: number;
}

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
}

export type Latencies = Readonly<Record<'p50Ms' | 'p99Ms', number>>;

/** What a collector's empty answer has of a message; refusals have none. */
const ANSWER_BYTES = 5;
const run = promisify(execFile);
const exporters = join(import.meta.dirname, 'exporters.ts');

export async function load(scenario: Scenario, target: Target, options: LoadOptions): Promise<Load> {
  if (scenario.isFromExporters) return loadOfExporters(scenario, target, options);
  const output = await h2load(scenario, target, options, []);
  const { requests, dataBytes } = readH2load(output);
  if (scenario.protocol === 'grpc') checkAnswers(requests, dataBytes, scenario.connections * scenario.streams);
  return { requests, perSecond: requests / options.seconds };
}

async function loadOfExporters(scenario: Scenario, { port, key }: Target, options: LoadOptions): Promise<Load> {
  const { connections, streams, bodyBytes } = scenario;
  const { seconds, directory } = options;
  const keys = join(directory, 'good-key');
  await writeFile(keys, key, { mode: 0o600 });
  const wanted: ExportersOptions = { port, connections, streams, bodyBytes, keys, seconds };
  const output = await runPinned(process.execPath, [exporters, JSON.stringify(wanted)]);
  const { requests } = JSON.parse(output) as ExportersResult;
  return { requests, perSecond: requests / seconds };
}

/** The latencies of a load at a steady pace. */
export async function pacedLoad(
  scenario: Scenario,
  target: Target,
  options: LoadOptions & { readonly requestsPerSecond: number },
): Promise<Latencies> {
  const log = join(options.directory, 'h2load.log');
  await rm(log, { force: true }); // h2load appends
  readH2load(await h2load(scenario, target, options, [`--log-file=${log}`]));
  return readLatencies(await readFile(log, 'utf8'));
}

async function h2load(scenario: Scenario, target: Target, options: LoadOptions, more: string[]): Promise<string> {
  const { protocol, connections, streams } = scenario;
  const body = join(options.directory, `${protocol}-${scenario.bodyBytes}`);
  await writeFile(body, bodyOf(scenario));
  const isGrpc = protocol === 'grpc';
  const fields = isGrpc
    ? [
        'te: trailers',
        'content-type: application/grpc',
        'user-agent: OTel-OTLP-Exporter-Go/1.40.0',
        'grpc-timeout: 10S',
      ]
    : ['content-type: application/x-protobuf', 'user-agent: OTel-OTLP-Exporter-Go/1.40.0'];
  const args = [
    ...(isGrpc ? [] : ['--h1']),
    '--threads=1',
    `--clients=${connections}`,
    `--max-concurrent-streams=${streams}`,
    `--data=${body}`,
    `--duration=${options.seconds}`,
    ...[...fields, `authorization: Bearer ${target.key}`].map((field) => `--header=${field}`),
    ...(options.requestsPerSecond === undefined ? [] : [`--rps=${options.requestsPerSecond / connections}`]),
    ...more,
    `${target.isTls ? 'https' : 'http'}://127.0.0.1:${target.port}${isGrpc ? GRPC_PATH : HTTP_PATH}`,
  ];
  return runPinned('h2load', args);
}

async function runPinned(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = canPin ? await run('taskset', ['-c', LOAD_CORE, command, ...args]) : await run(command, [...args]);
  return stdout;
}

/** Throws unless every single request was answered with 2xx. */
export function readH2load(output: string): { requests: number; dataBytes: number } {
  const counts =
    /^requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(
      output,
    );
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(output);
  const data = /\((\d+)\) data$/m.exec(output);
  if (counts === null || codes === null || data === null) throw new Error(`h2load says nothing: ${output}`);
  const [, , done = 0, succeeded = 0, failed = 0, errored = 0, timeout = 0] = counts.map(Number);
  const isGood = done > 0 && succeeded === done && failed + errored + timeout === 0;
  if (!isGood || codes.slice(2).some((count) => count !== '0')) {
    throw new Error(`not every request was answered with success: ${counts[0]}; ${codes[0]}`);
  }
  return { requests: succeeded, dataBytes: Number(data[1]) };
}

/**
 * h2load does not look at grpc-status, so it is told by the bytes: the collector's answer has an empty message, and a
 * refusal has no message at all. Answers that come after the end of the load are allowed for.
 */
export function checkAnswers(requests: number, dataBytes: number, underWay: number): void {
  const missing = requests - dataBytes / ANSWER_BYTES;
  if (missing > 0 || missing < -underWay) {
    throw new Error(`of ${requests} gRPC calls ${missing} were answered without the collector's message`);
  }
}

/** h2load's log: when it began, the status, and how many microseconds it took. */
export function readLatencies(log: string): Latencies {
  const times: number[] = [];
  for (const line of log.split('\n')) {
    if (line === '') continue;
    const [, status = '', microseconds] = line.split('\t');
    if (!status.startsWith('2')) throw new Error(`a request was answered with ${status}`);
    times.push(Number(microseconds) / 1_000);
  }
  times.sort((a, b) => a - b);
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}
