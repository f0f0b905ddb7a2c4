import * as http from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startRedisKeys } from '../test/support/redis-keys.ts';
import { Cleanups } from '../test/support/scope.ts';
import { portOf, startChild, stopChildren } from './processes.ts';
import { HTTP_PATH } from './scenarios.ts';

/**
 * `npm run bench:revocation [revocations] [requests under way at each gateway]`: four gateways on one Redis, each under
 * load with good keys. Keys that all of them know are deleted one after another through the admin API, by each gateway in
 * turn, and sent to all four until each has refused. What counts is the answer to a request, from the beginning of the
 * deletion (which is more than it takes) and from its return. A good key refused, or a deleted one accepted after it
 * had been refused, fails the run.
 */
const revocations = Number(process.argv[2] ?? 1_000);
const lanes = Number(process.argv[3] ?? 2);
const GATEWAYS = 4;
const BATCH = 50;
const PAUSE_MS = 10;
/** A deleted key is tried so many times more after it was refused. */
const TRIALS_AFTER = 3;
const PROMISE_MS = 50;

const root = dirname(import.meta.dirname);
const directory = await mkdtemp(join(tmpdir(), 'keygate-bench-'));
const cleanups = new Cleanups();
cleanups.after(() => rm(directory, { recursive: true, force: true }));
const { redis, keys } = await startRedisKeys(cleanups);
const actor = { name: 'bench' };

interface Gateway {
  readonly send: (key: string) => Promise<number>;
  readonly remove: (id: string) => Promise<void>;
}

const token = (await keys.create({ kind: 'service', name: 'bench', roles: ['admin'] }, actor)).text;

async function startGateway(index: number, collector: number): Promise<Gateway> {
  const config = join(directory, `gateway-${index}.json`);
  const address = '127.0.0.1:0';
  await writeFile(
    config,
    JSON.stringify({
      listen: { grpc: { address }, http: { address } },
      admin: { address },
      ops: { address },
      upstream: { http: `http://127.0.0.1:${collector}` },
      store: { redis: { url: redis.url, commandTimeout: '1s' } },
      replica: { name: `gateway-${index}` },
      log: { format: 'json' },
    }),
  );
  const line = await startChild(undefined, join(root, 'src/main.ts'), ['serve', '--config', config], (text) =>
    text.includes('address_http'),
  );
  const serving = JSON.parse(line) as Record<'address_http' | 'address_admin', string>;
  const agent = new http.Agent({ keepAlive: true });
  const admin = { agent, host: '127.0.0.1', port: portOf(serving.address_admin) };
  const data = { agent, host: '127.0.0.1', port: portOf(serving.address_http), method: 'POST', path: HTTP_PATH };
  return {
    send: (key) =>
      call({ ...data, headers: { 'x-api-key': key, 'content-type': 'application/x-protobuf', 'content-length': 0 } }),
    async remove(id) {
      const headers = { authorization: `ApiKey ${token}` };
      const path = `/api/security/ingestion/api_keys/${id}?force=true`;
      const status = await call({ ...admin, method: 'DELETE', path, headers });
      if (status !== 204) throw new Error(`the deletion was answered with ${status}`);
    },
  };
}

function call(options: http.RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end();
  });
}

/** When the first request with this key was refused. */
async function untilRefused({ send }: Gateway, key: string): Promise<number> {
  for (;;) {
    const status = await send(key);
    if (status === 403) break;
    if (status !== 200) throw new Error(`a request was answered with ${status}`);
  }
  const refusedAt = performance.now();
  for (let i = 0; i < TRIALS_AFTER; i++) {
    if ((await send(key)) !== 403) throw new Error('a deleted key was accepted after it had been refused');
  }
  return refusedAt;
}

try {
  const collector = JSON.parse(
    await startChild(undefined, join(root, 'bench/collector.ts'), [], (line) => line.startsWith('{')),
  );
  const gateways = await Promise.all(
    Array.from({ length: GATEWAYS }, (_, index) => startGateway(index, collector.http)),
  );

  const good = (await keys.create({ kind: 'ingestion', name: 'good' }, actor)).text;
  const load = { isOn: true, requests: 0 };
  const loads = gateways.flatMap((gateway) =>
    Array.from({ length: lanes }, async () => {
      while (load.isOn) {
        const status = await gateway.send(good);
        if (status !== 200) throw new Error(`a good key was answered with ${status}`);
        load.requests++;
      }
    }),
  );
  const failed = Promise.all(loads).then(() => new Promise<never>(() => {}));
  const beganAt = performance.now();

  const fromStart: number[][] = gateways.map(() => []);
  const fromReturn: number[][] = gateways.map(() => []);
  for (let done = 0; done < revocations; done += BATCH) {
    const batch: { text: string; id: string }[] = [];
    for (let i = done; i < Math.min(done + BATCH, revocations); i++) {
      const { text, record } = await keys.create({ kind: 'ingestion', name: `key ${i}` }, actor);
      batch.push({ text, id: record.id });
      const statuses = await Promise.all(gateways.map(({ send }) => send(text)));
      if (statuses.some((status) => status !== 200))
        throw new Error(`a new key was answered with ${statuses.join(', ')}`);
    }
    for (const [i, { text, id }] of batch.entries()) {
      const refusals = gateways.map((gateway) => untilRefused(gateway, text));
      const startedAt = performance.now();
      const returned = (gateways[i % GATEWAYS] ?? gateways[0])?.remove(id).then(() => performance.now());
      const [returnedAt = Number.NaN, ...refusedAt] = await Promise.race([
        Promise.all([returned, ...refusals]),
        failed,
      ]);
      for (const [index, at] of refusedAt.entries()) {
        fromStart[index]?.push((at ?? Number.NaN) - startedAt);
        fromReturn[index]?.push(Math.max(0, (at ?? Number.NaN) - returnedAt));
      }
      await delay(PAUSE_MS);
    }
  }
  load.isOn = false;
  await Promise.all(loads);

  const seconds = (performance.now() - beganAt) / 1_000;
  print(
    `${revocations} revocations on ${GATEWAYS} gateways, ${(load.requests / seconds).toFixed(0)} good requests/s beside them`,
  );
  print('| gateway | from the deletion’s start: p50 | p90 | p99 | max | from its return: p50 | p90 | p99 | max |');
  print('|---|---|---|---|---|---|---|---|---|');
  for (const index of gateways.keys()) {
    const cells = [...quantiles(fromStart[index] ?? []), ...quantiles(fromReturn[index] ?? [])];
    print(`| ${index + 1} | ${cells.map((ms) => `${ms.toFixed(1)} ms`).join(' | ')} |`);
  }
  const all = quantiles(fromStart.flat());
  const cells = [...all, ...quantiles(fromReturn.flat())];
  print(`| all | ${cells.map((ms) => `${ms.toFixed(1)} ms`).join(' | ')} |`);
  if ((all[2] ?? Infinity) > PROMISE_MS) {
    process.stderr.write(`The 99th percentile is above ${PROMISE_MS} ms.\n`);
    process.exitCode = 1;
  }
} finally {
  await stopChildren();
  await cleanups.run();
}

function quantiles(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.5, 0.9, 0.99, 1].map(
    (q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
