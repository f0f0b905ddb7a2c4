import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { bodyOf } from '../scenarios.ts';
import { quantile } from '../statistics.ts';
import { startSender } from './sender.ts';
import type { Tally } from './sender.ts';

/**
 * Many collectors in one process: reads what is wanted as JSON from its argument, prints the port at which it tells how they are doing
 * (GET: the counts so far, and the times since it was last asked), and goes on until it is ended.
 */
export interface SendersOptions {
  readonly ports: readonly number[];
  readonly certificate: string;
  /** A file with one key on each line: one collector each. */
  readonly keys: string;
  readonly bodyBytes: number;
  readonly everyMs: number;
}

export type Told = Readonly<Omit<Tally, 'times'>> & { readonly p50Ms: number; readonly p99Ms: number };

const { ports, certificate, keys, bodyBytes, everyMs } = JSON.parse(process.argv[2] ?? '{}') as SendersOptions;
const trust = createSecureContext({ ca: readFileSync(certificate, 'utf8') });
const batch = bodyOf({ protocol: 'grpc', bodyBytes });
const tally: Tally = {
  connected: 0,
  handshakes: 0,
  failedConnects: 0,
  made: 0,
  accepted: 0,
  retried: 0,
  refused: 0,
  times: [],
};

for (const [i, key] of readFileSync(keys, 'utf8').trim().split('\n').entries()) {
  startSender({ ports, first: i % ports.length, trust, key, batch, everyMs }, tally);
}

const server = createServer((_, response) => {
  const { times, ...counts } = tally;
  tally.times = [];
  times.sort((a, b) => a - b);
  const told: Told = { ...counts, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  response.setHeader('connection', 'close').end(JSON.stringify(told));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
