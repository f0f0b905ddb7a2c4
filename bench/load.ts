import * as http from 'node:http';
import * as http2 from 'node:http2';
import { GRPC_PATH, HTTP_PATH } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';

export interface Measurement {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Target {
  readonly port: number;
  readonly key: string;
}

/** Sends one request and resolves when it was accepted; anything but success rejects. */
type Send = () => Promise<void>;

/** Keeps the scenario's requests under way for this long and measures; a single failed request fails the measurement. */
export async function measure(scenario: Scenario, target: Target, durationMs: number): Promise<Measurement> {
  const lanes: Send[] = [];
  const closers: (() => void)[] = [];
  for (let i = 0; i < scenario.connections; i++) {
    const { send, close } = scenario.protocol === 'grpc' ? openGrpc(scenario, target) : openHttp(scenario, target);
    closers.push(close);
    for (let lane = 0; lane < scenario.streams; lane++) lanes.push(send);
  }
  try {
    await Promise.all(lanes.map((send) => send())); // proves that it works, and opens every connection
    const latencies: number[] = [];
    const start = performance.now();
    const end = start + durationMs;
    await Promise.all(
      lanes.map(async (send) => {
        for (let begun = performance.now(); begun < end; begun = performance.now()) {
          await send();
          latencies.push(performance.now() - begun);
        }
      }),
    );
    const seconds = (performance.now() - start) / 1_000;
    latencies.sort((a, b) => a - b);
    return {
      requestsPerSecond: latencies.length / seconds,
      p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
      p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    };
  } finally {
    for (const close of closers) close();
  }
}

function openGrpc({ bodyBytes }: Scenario, { port, key }: Target): { send: Send; close: () => void } {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const message = Buffer.alloc(5 + bodyBytes, 1);
  message.writeUInt8(0, 0);
  message.writeUInt32BE(bodyBytes, 1);
  const headers = {
    ':method': 'POST',
    ':path': GRPC_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `StackState ${key}`,
  };
  return {
    close: () => session.close(),
    send: () =>
      new Promise((resolve, reject) => {
        const stream = session.request(headers);
        let status: unknown;
        stream.on('response', (response) => (status = response['grpc-status']));
        stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
        stream.on('error', reject);
        stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`grpc-status ${String(status)}`))));
        stream.resume();
        stream.end(message);
      }),
  };
}

function openHttp({ bodyBytes }: Scenario, { port, key }: Target): { send: Send; close: () => void } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const body = Buffer.alloc(bodyBytes, 1);
  const options: http.RequestOptions = {
    agent,
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: HTTP_PATH,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-length': bodyBytes,
      authorization: `StackState ${key}`,
    },
  };
  return {
    close: () => agent.destroy(),
    send: () =>
      new Promise((resolve, reject) => {
        const request = http.request(options, (response) => {
          response.resume();
          response.on('end', () =>
            response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
          );
        });
        request.on('error', reject);
        request.end(body);
      }),
  };
}
