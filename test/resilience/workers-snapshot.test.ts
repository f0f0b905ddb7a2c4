import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createDigester } from '../../src/credential/digest.ts';
import { startCollector } from '../support/collector.ts';
import { reasonOf } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { startRedisKeys } from '../support/redis-keys.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const ACTOR = { name: 'test' };

async function setUp(t: TestContext) {
  const { redis, keys } = await startRedisKeys(t);
  const directory = await mkdtemp(join(tmpdir(), 'keygate-workers-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'snapshot');
  const collector = await startCollector(t);
  return {
    redis,
    path,
    digester: createDigester({}),
    createKey: async (name: string) => (await keys.create({ kind: 'ingestion', name }, ACTOR)).text,
    start: () =>
      startKeygateProcess(t, {
        workers: 2,
        upstream: { http: collector.httpUrl },
        store: { redis: { url: redis.url, commandTimeout: '300ms' } },
        cache: { snapshot: { path, secret: 'a-secret-of-at-least-16-characters' } },
        canary: { interval: '0s' },
        keys: {},
      }),
  };
}

/** On a connection of its own, which goes to the worker that has the fewest. */
async function send(t: TestContext, { http }: { http: string }, key: string): Promise<string> {
  const { status, body } = await callHttp(`http://${http}`, {
    headers: { 'x-api-key': key },
    agent: keepAliveAgent(t),
  });
  return status === 200 ? '200' : `${status} ${reasonOf(decodeStatus(body))}`;
}

describe('the snapshot of a gateway of two workers', { timeout: 120_000 }, () => {
  it('holds the keys of both, is written by one process, and is read by each, also by one that is replaced', async (t) => {
    const { redis, path, digester, createKey, start } = await setUp(t);
    const texts = [await createKey('a'), await createKey('b'), await createKey('c')];
    const first = await start();
    for (const text of texts) assert.equal(await send(t, first.addresses, text), '200');
    first.signal('SIGTERM');
    assert.equal((await first.exited).code, 0);
    const file = await readFile(path, 'utf8');
    assert.deepEqual(
      texts.map((text) => file.includes(digester(text).digest)),
      [true, true, true],
    );

    await redis.kill();
    const second = await start();
    assert.equal((await fetch(`http://${second.addresses.ops}/readyz`)).status, 200);
    for (const text of [...texts, ...texts]) assert.equal(await send(t, second.addresses, text), '200');
    const [victim = 0] = second.workers();
    process.kill(victim, 'SIGKILL');
    await until('it is replaced', async () => (await second.metric('keygate_worker_restarts_total')) === 1);
    await until('it serves', async () => (await second.metric('keygate_workers')) === 2, 20_000);
    for (const text of [...texts, ...texts]) assert.equal(await send(t, second.addresses, text), '200');
    assert.match(await send(t, second.addresses, 'a-key-that-was-never-seen'), /^503 store_/);
  });
});
