import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createEndpoints } from '../../src/upstream/endpoints.ts';
import type { Endpoint } from '../../src/upstream/endpoint.ts';
import { until } from '../support/wait.ts';

const HOSTS = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];

/** Says where it is to whoever connects. */
async function startServer(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).end(host)).listen(port, host);
  await once(server, 'listening');
  return server;
}

async function ask({ address, port }: Endpoint): Promise<string | undefined> {
  const socket = connect(port, address);
  try {
    const [answer] = await once(socket, 'data');
    return String(answer);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** A collector with three addresses, and whoever asks it again elsewhere when it is not there. */
async function setUp(t: TestContext) {
  const first = await startServer(HOSTS[0] as string, 0);
  const { port } = first.address() as { port: number };
  const servers = new Map([[HOSTS[0], first]]);
  for (const host of HOSTS.slice(1)) servers.set(host, await startServer(host, port));
  let probes = 0;
  const endpoints = createEndpoints({
    target: { host: 'collector', port, secure: false },
    resolve: async () => HOSTS,
    resolveIntervalMs: 30_000,
    now: () => performance.now(),
    random: Math.random,
    async probe(endpoint) {
      probes++;
      return (await ask(endpoint)) !== undefined;
    },
  });
  t.after(() => {
    endpoints.close();
    for (const server of servers.values()) server.close();
  });
  await until('the name is resolved', () => endpoints.pick() !== undefined);

  /** Where the answer came from, and how often it was asked for in vain. */
  async function request(): Promise<{ from: string; failures: number }> {
    let failed: Endpoint | undefined;
    for (let failures = 0; failures < 10; failures++) {
      const endpoint = endpoints.pick(failed);
      assert.ok(endpoint);
      const from = await ask(endpoint);
      if (from !== undefined) {
        endpoint.succeeded();
        return { from, failures };
      }
      endpoint.failed('unreachable');
      failed = endpoint;
    }
    throw new Error('no server answered');
  }

  async function requests(times: number): Promise<{ from: Set<string>; failures: number }> {
    const answers = [];
    for (let i = 0; i < times; i++) answers.push(await request());
    return {
      from: new Set(answers.map(({ from }) => from)),
      failures: answers.reduce((sum, { failures }) => sum + failures, 0),
    };
  }

  return {
    requests,
    probes: () => probes,
    async stop(host: string) {
      servers.get(host)?.close();
    },
    async restart(host: string) {
      servers.set(host, await startServer(host, port));
    },
  };
}

test('a server that goes away costs one request a second try; when it is back, a probe finds it', async (t) => {
  const [one = '', other = '', third = ''] = HOSTS;
  const { requests, probes, stop, restart } = await setUp(t);
  assert.deepEqual(await requests(6), { from: new Set([other, third, one]), failures: 0 });

  await stop(other);
  assert.deepEqual(await requests(9), { from: new Set([one, third]), failures: 1 });

  await until('it is probed', () => probes() > 0);
  await restart(other);
  await until('it gets requests', async () => (await requests(3)).from.has(other), 10_000);
  assert.equal((await requests(6)).failures, 0);
});

test('when all servers are away, the first to be back gets the next request', async (t) => {
  const [one = '', other = '', third = ''] = HOSTS;
  const { requests, stop, restart } = await setUp(t);
  await Promise.all([one, other, third].map(stop));
  await assert.rejects(requests(1), /no server answered/);
  await restart(third);
  assert.deepEqual((await requests(5)).from, new Set([third]));
});
