import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.ts';
import { WORKER_COMMAND } from '../../src/workers/messages.ts';
import type { ToWorker } from '../../src/workers/messages.ts';
import { startBrokenServer } from '../support/broken-server.ts';
import { answerGrpc, answerHttp } from '../support/collector.ts';
import { connectGrpc, frame, openGrpc, readGrpc } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent, openHttp } from '../support/http-client.ts';
import { runKeygateServe } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { until } from '../support/wait.ts';
import { send, startWorkers } from '../support/workers.ts';

const METRICS_PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe('a worker that is killed', { timeout: 120_000 }, () => {
  it('takes its own connections with it, is replaced, and nobody else notices', async (t) => {
    const { keygate, connectBoth } = await startWorkers(t);
    const [a, b] = await connectBoth();
    assert.equal(await keygate.metric('keygate_requests_total', 'allow'), 2);
    const [victim = 0, survivor = 0] = keygate.workers();
    process.kill(victim, 'SIGKILL');
    await until('one connection is broken', () => a.destroyed || b.destroyed);
    const other = a.destroyed ? b : a;
    for (let i = 0; i < 5; i++) assert.equal(await send(other, keygate.key), '0');
    await until('it is replaced', async () => (await keygate.metric('keygate_workers')) === 2);
    assert.deepEqual([other.destroyed, isThere(victim), isThere(survivor)], [false, false, true]);
    assert.equal(await keygate.metric('keygate_worker_restarts_total', 'why="killed"'), 1);
    assert.equal(await keygate.metric('keygate_worker_restarts_total'), 1);
    assert.equal(await keygate.metric('keygate_requests_total', 'allow'), 7, 'what it had counted is not forgotten');
    const line = keygate.log().find(({ level }) => level === 'error');
    assert.match(String(line?.['message']), /^a worker has ended, and is replaced/);
    // The new one has no connections yet, so it gets the next one.
    const next = await connectGrpc(t, keygate.addresses.grpc);
    assert.equal(await send(next, keygate.key), '0');
    process.kill(survivor, 'SIGKILL');
    await until('the other connection is broken', () => other.destroyed);
    assert.equal(await send(next, keygate.key), '0');
  });
});

describe('a worker that is told to end', { timeout: 120_000 }, () => {
  it('finishes what it has while the other takes what comes, is replaced, and then the other may go', async (t) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { collector, keygate, connectBoth } = await startWorkers(
      t,
      {},
      {
        onGrpc: (stream, { path }) =>
          void (path.includes('Metrics') ? released : Promise.resolve()).then(() => answerGrpc(stream)),
      },
    );
    const sessions = await connectBoth();
    const headers = { 'x-api-key': keygate.key };
    const inFlight = sessions.map((session) => {
      const stream = openGrpc(session, { path: METRICS_PATH, headers });
      stream.end(frame(Buffer.alloc(10)));
      return readGrpc(stream);
    });
    await until('both have something in flight', () => collector.arrivals.length === 2 + 2);
    const pids = keygate.workers();
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    await until('one of them lets its sender go', () => sessions.some(({ closed }) => closed));
    for (let i = 0; i < 4; i++) {
      const session = await connectGrpc(t, keygate.addresses.grpc);
      assert.equal(await send(session, keygate.key), '0');
    }
    assert.equal((await fetch(`http://${keygate.addresses.ops}/readyz`)).status, 200);
    assert.deepEqual(pids.map(isThere), [true, true]);
    release();
    assert.deepEqual(
      (await Promise.all(inFlight)).map(({ code }) => code),
      [0, 0],
    );
    await until('both are replaced', () => !pids.some(isThere) && keygate.workers().length === 2, 20_000);
    await until('both serve', async () => (await keygate.metric('keygate_workers')) === 2, 20_000);
    assert.equal(await keygate.metric('keygate_worker_restarts_total'), 0);
    assert.equal(await keygate.metric('keygate_requests_total', 'allow'), 2 + 2 + 4);
    assert.deepEqual(
      keygate.log().filter(({ level }) => level === 'error'),
      [],
    );
    for (const session of await connectBoth()) assert.equal(await send(session, keygate.key), '0');
  });

  it('is found by the name of its process, as the office is', async (t) => {
    const { keygate } = await startWorkers(t);
    const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
    assert.equal(nameOf(keygate.pid), `keygate serve --config ${keygate.configFile}`);
    assert.deepEqual(keygate.workers().map(nameOf), ['keygate-worker 1', 'keygate-worker 2']);
  });

  it('takes no notice of signals that a terminal sends to all processes', async (t) => {
    const { keygate, connectBoth } = await startWorkers(t);
    const sessions = await connectBoth();
    const pids = keygate.workers();
    for (const signal of ['SIGINT', 'SIGHUP'] as const) for (const pid of pids) process.kill(pid, signal);
    assert.equal(await keygate.metric('keygate_workers'), 2); // they have told their figures since
    for (const session of sessions) assert.equal(await send(session, keygate.key), '0');
    assert.deepEqual(keygate.workers(), pids);
  });

  it('drains with all others when all processes are told so at once, as systemd does', async (t) => {
    const { keygate } = await startWorkers(t, { limits: { drainDelay: '1s' } });
    const pids = keygate.workers();
    for (const pid of [keygate.pid, ...pids]) process.kill(pid, 'SIGTERM');
    const { code, stdout } = await keygate.exited;
    assert.equal(code, 0);
    assert.match(stdout, /"message":"drained"\}\n$/);
    assert.doesNotMatch(stdout, /a worker has ended|"level":"error"/);
    assert.deepEqual(pids.map(isThere), [false, false]);
  });
});

describe('a gateway of two workers that is told to stop', { timeout: 120_000 }, () => {
  it('finishes what is in flight at both, takes nothing new, and exits with 0', async (t) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { collector, keygate, connectBoth } = await startWorkers(
      t,
      {},
      {
        onGrpc: (stream, { path }) =>
          void (path.includes('Metrics') ? released : Promise.resolve()).then(() => answerGrpc(stream)),
        onHttp: (response, arrival) => void released.then(() => answerHttp(response, arrival)),
      },
    );
    const headers = { 'x-api-key': keygate.key };
    const sessions = await connectBoth();
    const grpcAnswers = sessions.map((session) => {
      const stream = openGrpc(session, { path: METRICS_PATH, headers });
      stream.end(frame(Buffer.alloc(10)));
      return readGrpc(stream);
    });
    const httpAnswers = Array.from({ length: 4 }, () =>
      callHttp(`http://${keygate.addresses.http}`, { headers, agent: keepAliveAgent(t) }),
    );
    await until('all are in flight', () => collector.arrivals.length === 2 + 6);
    const pids = keygate.workers();
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate)).startsWith('503'));
    assert.equal(await readiness(keygate), '503 draining\n');
    await until('it takes nothing new', () =>
      callHttp(`http://${keygate.addresses.http}`, { headers, agent: keepAliveAgent(t) }).then(
        () => false,
        () => true,
      ),
    );
    assert.equal(await keygate.metric('keygate_draining'), 1);
    release();
    assert.deepEqual(
      (await Promise.all(grpcAnswers)).map(({ code }) => code),
      [0, 0],
    );
    assert.deepEqual(
      (await Promise.all(httpAnswers)).map(({ status }) => status),
      [200, 200, 200, 200],
    );
    const { code, stdout } = await keygate.exited;
    assert.equal(code, 0);
    assert.match(stdout, /"message":"drained"\}\n$/);
    assert.deepEqual(pids.map(isThere), [false, false]);
  });

  it('ends at once on a second signal, its workers with it', async (t) => {
    const { collector, keygate } = await startWorkers(t, {}, { onHttp: () => {} });
    openHttp(`http://${keygate.addresses.http}`, { headers: { 'x-api-key': keygate.key }, body: [] }).request.end();
    await until('it is in flight', () => collector.arrivals.length === 1);
    const pids = keygate.workers();
    keygate.signal('SIGTERM');
    await until('it is not ready', async () => (await readiness(keygate)).startsWith('503'));
    keygate.signal('SIGTERM');
    assert.equal((await keygate.exited).code, 143);
    await until('its workers are gone', () => !pids.some(isThere));
  });

  it('leaves no worker behind when it is killed itself', async (t) => {
    const { keygate } = await startWorkers(t);
    const pids = keygate.workers();
    keygate.signal('SIGKILL');
    await until('its workers are gone', () => !pids.some(isThere), 10_000);
  });
});

describe('a worker', { timeout: 120_000 }, () => {
  for (const [when, pauseMs] of Object.entries({ 'at once': 0, 'while it starts': 300 })) {
    it(`ends when its office goes (${when}), though its store is away`, async (t) => {
      const child = fork(MAIN, [WORKER_COMMAND, '1'], {
        execPath: process.execPath,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      t.after(() => child.kill('SIGKILL'));
      const ended = once(child, 'exit');
      const config = configSchema.parse({
        upstream: { http: 'http://127.0.0.1:1' },
        store: { redis: { url: 'redis://127.0.0.1:1' } },
      });
      child.send({ kind: 'begin', worker: 1, workers: 1, name: 'test/1', config } satisfies ToWorker);
      await delay(pauseMs);
      child.disconnect();
      await ended;
    });
  }
});

describe('a gateway of two workers that cannot start', { timeout: 120_000 }, () => {
  it('says once which port is taken, and exits with 1', async (t) => {
    const { url } = await startBrokenServer(t, () => {});
    const taken = { address: `127.0.0.1:${new URL(url).port}` };
    const free = { address: '127.0.0.1:0' };
    const { code, stdout } = await runKeygateServe(t, {
      workers: 2,
      listen: { grpc: free, http: taken },
      admin: free,
      ops: free,
      upstream: { grpc: 'http://127.0.0.1:4317' },
    });
    const lines = stdout.split('\n').filter((line) => /"level":"(?:error|fatal)"/.test(line));
    assert.equal(lines.length, 1, stdout);
    assert.equal(code, 1);
    const { message, cause } = JSON.parse(lines[0] ?? '{}') as Record<string, string>;
    assert.equal(message, 'keygate cannot start');
    assert.match(cause ?? '', /EADDRINUSE.*another program has this port/);
  });
});

async function readiness({ addresses }: KeygateProcess): Promise<string> {
  const response = await fetch(`http://${addresses.ops}/readyz`);
  return `${response.status} ${await response.text()}`;
}
