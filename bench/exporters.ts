import { readFileSync } from 'node:fs';
import { openExporter } from './exporter.ts';
import { createField } from './go-hpack.ts';
import type { Field } from './go-hpack.ts';
import { quantile } from './statistics.ts';

/**
 * Load of many exporters, in a process of its own: reads what is wanted as JSON from its argument, prints what came of it
 * as one JSON line. Each call has the next of the keys. With `seconds` it lasts that long; without, until each key was
 * sent once, and then the connections are kept open, idle, until the process is ended.
 */
export interface ExportersOptions {
  readonly port: number;
  readonly connections: number;
  readonly streams: number;
  readonly bodyBytes: number;
  /** A file with one key on each line. */
  readonly keys: string;
  readonly seconds?: number;
}

export interface ExportersResult {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ExportersOptions;
const { port, connections, streams, bodyBytes, seconds } = options;
const keys = readFileSync(options.keys, 'utf8')
  .trim()
  .split('\n')
  .map((key) => createField('authorization', `Bearer ${key}`));
const startedAt = performance.now();
const times: number[] = [];
let begun = 0;
let isOver = false;

function next(): Field | undefined {
  if (isOver) return undefined;
  if (seconds === undefined && begun >= keys.length) return undefined;
  return keys[begun++ % keys.length];
}

function finish(): void {
  isOver = true;
  const requests = times.length;
  times.sort((a, b) => a - b);
  const result: ExportersResult = { requests, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (seconds === undefined) return;
  for (const { close } of exporters) close();
}

const exporters = Array.from({ length: connections }, () =>
  openExporter({
    port,
    streams,
    bodyBytes,
    next,
    done(tookMs) {
      if (isOver) return;
      times.push(tookMs);
      if (seconds === undefined ? times.length === keys.length : performance.now() - startedAt > seconds * 1_000)
        finish();
    },
    failed(why) {
      process.stderr.write(`${why}\n`);
      process.exit(1);
    },
  }),
);
