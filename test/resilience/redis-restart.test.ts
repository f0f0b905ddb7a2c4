import assert from 'node:assert/strict';
import type * as http2 from 'node:http2';
import { it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CreatedKey, KeyService } from '../../src/keys/service.ts';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import { openKeyService } from '../support/key-service.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { startRedis } from '../support/redis.ts';
import { openRedisStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';

const GATEWAYS = 4;
const OUTAGE_MS = 1_500;
/** The default of cache.freshFor: what bounds a revocation even if no feed brings it. */
const BOUND_MS = 10_000;
/** Between two requests of one client, so that the machine is busy and not drowned. */
const PAUSE_MS = 5;

/** Resolves to `200` or `0`, or to what else it was. */
type Send = (key: string) => Promise<number>;

async function connect(
  t: TestContext,
  { http, grpc }: { readonly http: string; readonly grpc: string },
): Promise<Send[]> {
  const agent = keepAliveAgent(t);
  const session: http2.ClientHttp2Session = await connectGrpc(t, grpc);
  return [
    async (key) => (await callHttp(`http://${http}`, { agent, headers: { 'x-api-key': key } })).status,
    async (key) => (await callGrpc(session, { headers: { 'x-api-key': key } })).code,
  ];
}

const isAccepted = (status: number): boolean => status === 200 || status === 0;

/** Another replica's hand on the same keys, or the CLI's. */
function openService(t: TestContext, url: string): KeyService {
  const store = openRedisStore(url, { prefix: 'keygate' });
  t.after(() => store.close());
  return openKeyService(store);
}

/** Each client sends these keys in turn, one request after the other, until it is stopped. */
function startLoad(clients: readonly Send[], keys: readonly string[]): () => Promise<number[]> {
  const statuses: number[] = [];
  const stopping = new AbortController();
  const work = clients.map(async (send, offset) => {
    for (let turn = offset; !stopping.signal.aborted; turn++) {
      statuses.push(await send(keys[turn % keys.length] ?? ''));
      await delay(PAUSE_MS);
    }
  });
  return async () => {
    stopping.abort();
    await Promise.all(work);
    return statuses;
  };
}

it('4 gateways under load outlive a restart of Redis: no good key is refused, and none that was revoked is accepted', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const keygates = await Promise.all(
    Array.from({ length: GATEWAYS }, () =>
      startKeygateProcess(t, {
        upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
        store: { redis: { url: redis.url } },
      }),
    ),
  );
  const service = openService(t, redis.url);
  const createKeys = (count: number): Promise<CreatedKey[]> =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        service.create({ kind: 'ingestion', name: `${performance.now()} ${index}` }, { name: 'test' }),
      ),
    );
  const good = (await createKeys(8)).map(({ text }) => text);
  const doomed = await createKeys(6);
  const clients = await Promise.all(keygates.map(({ addresses }) => connect(t, addresses)));
  const all = clients.flat();
  for (const send of all) {
    for (const key of [...good, ...doomed.map(({ text }) => text)]) {
      await until('each gateway knows each key', async () => isAccepted(await send(key)));
    }
  }

  const stopLoad = startLoad([...all, ...all], good);
  await redis.command('SAVE');
  await redis.kill();
  await delay(OUTAGE_MS);
  const restarted = redis.restart();

  // Some are revoked as soon as Redis can be written to again, with the gateways still on their way back; others later.
  const lateMs: number[] = [];
  for (const [index, { record, text }] of doomed.entries()) {
    if (index === doomed.length / 2) await restarted.then(() => delay(1_000));
    await until(
      'the revocation is written',
      () => isMade(service.revoke('ingestion', record.id, { name: 'test' })),
      20_000,
    );
    const revokedAt = performance.now();
    for (const send of all) {
      await until('it is refused', async () => !isAccepted(await send(text)), BOUND_MS + 2_000);
    }
    lateMs.push(Math.round(performance.now() - revokedAt));
  }
  const fresh = (await createKeys(2)).map(({ text }) => text);
  for (const send of all) {
    for (const key of fresh) await until('a key made afterwards is good', async () => isAccepted(await send(key)));
    for (const { text } of doomed) assert.ok([403, 7].includes(await send(text)), 'a revoked key was let in again');
  }
  const statuses = await stopLoad();

  assert.deepEqual(
    statuses.filter((status) => !isAccepted(status)),
    [],
  );
  assert.ok(statuses.length > 500, `only ${statuses.length} requests`);
  const feeds = await Promise.all(keygates.map(({ metric }) => metric('keygate_feed_up')));
  assert.deepEqual(feeds, [1, 1, 1, 1]);
  t.diagnostic(
    `${statuses.length} requests of good keys; revocations were true everywhere after ${lateMs.join(', ')} ms`,
  );
});

async function isMade(change: Promise<unknown>): Promise<boolean> {
  return change.then(
    () => true,
    (error: { code?: string }) => error.code === 'not_found', // it was made, though its answer was lost
  );
}
