import assert from 'node:assert/strict';
import type * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal, reasonOf, retrySecondsOf } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent, openHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const OUTAGE_MS = 1_500;
/** Nobody waits for Redis to come back. A lookup may take 300 ms; the rest is for a machine that is busy. */
const ANSWERED_WITHIN_MS = OUTAGE_MS - 300;
const KNOWN_KEYS = 10;

interface Setup {
  readonly redis: TestRedis;
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly send: { readonly http: Send; readonly grpc: Send };
}

interface Answer {
  /** An HTTP status or a gRPC code. */
  readonly status: number;
  readonly reason: string | undefined;
  readonly retrySeconds: number | undefined;
  readonly ms: number;
}
type Send = (key: string) => Promise<Answer>;

async function setUp(t: TestContext, commandTimeout = '300ms'): Promise<Setup> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    store: { redis: { url: redis.url, commandTimeout } },
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  const session = await connectGrpc(t, gateway.grpcAddress);
  const agent = keepAliveAgent(t);
  return {
    redis,
    gateway,
    collector,
    send: {
      http: (key) => timed(() => sendHttp(gateway, agent, key)),
      grpc: (key) => timed(() => sendGrpc(session, key)),
    },
  };
}

async function timed(send: () => Promise<Omit<Answer, 'ms'>>): Promise<Answer> {
  const startedAt = performance.now();
  return { ...(await send()), ms: performance.now() - startedAt };
}

async function sendHttp(
  gateway: Gateway,
  agent: ReturnType<typeof keepAliveAgent>,
  key: string,
): Promise<Omit<Answer, 'ms'>> {
  const { status, headers, body } = await callHttp(gateway.httpUrl, {
    agent,
    headers: { authorization: `Bearer ${key}` },
  });
  if (status === 200) return { status, reason: undefined, retrySeconds: undefined };
  const decoded = decodeStatus(body);
  assert.equal(headers['retry-after'], retrySecondsOf(decoded)?.toString());
  return { status, reason: reasonOf(decoded), retrySeconds: retrySecondsOf(decoded) };
}

async function sendGrpc(session: http2.ClientHttp2Session, key: string): Promise<Omit<Answer, 'ms'>> {
  const answer = await callGrpc(session, { headers: { authorization: `Bearer ${key}` } });
  if (answer.code === 0) return { status: 0, reason: undefined, retrySeconds: undefined };
  const { code, reason, retrySeconds } = readRefusal(answer);
  return { status: code, reason, retrySeconds };
}

/** Keys that this gateway has served, and keys that it has not seen yet; all of them are good. */
async function createKeys({ gateway, send }: Setup): Promise<{ known: string[]; unseen: string[] }> {
  const keys: string[] = [];
  for (let i = 0; i < KNOWN_KEYS + 20; i++) keys.push((await gateway.createKey()).text);
  const [known, unseen] = [keys.slice(0, KNOWN_KEYS), keys.slice(KNOWN_KEYS)];
  for (const key of known) assert.equal((await send.http(key)).status, 200);
  return { known, unseen };
}

/** Sends these keys without a pause, over both protocols, until it is stopped; then it gives all answers. */
function startLoad({ http, grpc }: Setup['send'], nextKey: () => string, workersEach: number): () => Promise<Answer[]> {
  const answers: Answer[] = [];
  const stop = new AbortController();
  const work = async (send: Send): Promise<void> => {
    while (!stop.signal.aborted) answers.push(await send(nextKey()));
  };
  const workers = [http, grpc].flatMap((send) => Array.from({ length: workersEach }, () => work(send)));
  return async () => {
    stop.abort();
    await Promise.all(workers);
    return answers;
  };
}

/** One after the other, and from the beginning again. */
function cycle(keys: readonly string[]): () => string {
  let count = 0;
  return () => keys[count++ % keys.length] ?? '';
}

/** Statuses with how often they came. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function assertServed(answers: readonly Answer[]): void {
  assert.deepEqual(Object.keys(tally(answers)).toSorted(), ['0', '200']);
  const slowestMs = Math.max(...answers.map(({ ms }) => ms));
  assert.ok(slowestMs < ANSWERED_WITHIN_MS, `one took ${slowestMs} ms`);
}

function assertUndecided(answers: readonly Answer[]): void {
  assert.deepEqual(Object.keys(tally(answers)).toSorted(), ['14', '503'], 'over both protocols');
  for (const { reason, retrySeconds = 0, ms } of answers) {
    assert.match(reason ?? '', /^store_(?:unavailable|timeout)$/);
    assert.ok(retrySeconds >= 1 && retrySeconds <= 5);
    assert.ok(ms < ANSWERED_WITHIN_MS, `${reason} took ${ms} ms`);
  }
}

interface Outage {
  begin(redis: TestRedis): Promise<void>;
  end(redis: TestRedis): Promise<void>;
}

const OUTAGES: Readonly<Record<string, Outage>> = {
  'killed, and started again with its data': {
    async begin(redis) {
      await redis.command('SAVE');
      await redis.kill();
    },
    end: (redis) => redis.restart(),
  },
  'frozen, and thawed': {
    begin: async (redis) => redis.freeze(),
    end: async (redis) => redis.thaw(),
  },
  'paused, and resumed': {
    begin: async (redis) => void (await redis.command('CLIENT', 'PAUSE', OUTAGE_MS + 200, 'ALL')),
    end: async (redis) => void (await redis.command('PING')), // is answered when the pause is over
  },
};

describe('while Redis is', { concurrency: false }, () => {
  for (const [what, outage] of Object.entries(OUTAGES)) {
    it(`${what}: known keys flow, others are told to retry, nobody gets a 403, and all is well afterwards`, async (t) => {
      const setup = await setUp(t);
      const { redis, gateway, send } = setup;
      const { known, unseen } = await createKeys(setup);
      const stopKnown = startLoad(send, cycle(known), 2);
      await outage.begin(redis);
      // Good keys that have not been seen, and keys that may not exist: nobody can tell them apart now.
      const stopOthers = startLoad(send, cycle([...unseen, ...unseen.map((_, index) => `may-not-exist-${index}`)]), 1);
      await delay(OUTAGE_MS);
      assertUndecided(await stopOthers());
      assertServed(await stopKnown());
      assert.equal(await gateway.metric('keygate_requests_total', { verdict: 'deny' }), 0);
      assert.equal((await send.http('iapikeyok-mistyped')).reason, 'bad_checksum', 'this needs no store');

      await outage.end(redis);
      for (const key of unseen) {
        await until('an unseen key is known again', async () => {
          const answer = await send.http(key);
          assert.ok(answer.status === 200 || answer.status === 503, `${answer.status} ${answer.reason}`);
          return answer.status === 200;
        });
      }
      assert.deepEqual(
        [await send.http('no-such-key'), await send.grpc('no-such-key')].map(({ status, reason }) => [status, reason]),
        [
          [403, 'unknown_key'],
          [7, 'unknown_key'],
        ],
      );
      const created = await gateway.createKey();
      assert.equal((await send.grpc(created.text)).status, 0);
      await until('the store is seen to be up', async () => (await gateway.metric('keygate_store_up')) === 1);
    });
  }

  it('started again empty: known keys flow, and its "no such key" is not believed', async (t) => {
    const setup = await setUp(t);
    const { redis, gateway, send } = setup;
    const { known, unseen } = await createKeys(setup);
    const stopKnown = startLoad(send, cycle(known), 2);
    await redis.restart();
    const stopOthers = startLoad(send, cycle(unseen), 1);
    await until(
      'its answers come',
      async () => (await gateway.metric('keygate_store_lookup_seconds_count', { outcome: 'foreign' })) > 100,
      20_000,
    );
    assertUndecided(await stopOthers());
    assertServed(await stopKnown());
    assert.equal(await gateway.metric('keygate_requests_total', { verdict: 'deny' }), 0);
  });
});

describe('while a key is being looked up', () => {
  it('its sender waits, and its body with it; then it passes', async (t) => {
    const setup = await setUp(t, '3s');
    const { gateway, redis, collector } = setup;
    const { text: key } = await gateway.createKey();
    redis.freeze();
    const session = await connectGrpc(t, gateway.grpcAddress);
    const grpc = callGrpc(session, { headers: { 'x-api-key': key }, body: Buffer.alloc(500_000) });
    const http = callHttp(gateway.httpUrl, { headers: { 'x-api-key': key }, body: Buffer.alloc(500_000) });
    await until('both are in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 2);
    assert.equal(collector.begun(), 0);
    redis.thaw();
    assert.deepEqual([(await grpc).code, (await http).status], [0, 200]);
    assert.deepEqual(
      collector.arrivals.map(({ bodyBytes }) => bodyBytes),
      [500_000, 500_000],
    );
  });

  it('a sender that leaves never reaches the collector', async (t) => {
    const setup = await setUp(t, '3s');
    const { gateway, redis, collector } = setup;
    const { text: key } = await gateway.createKey();
    redis.freeze();
    const session = await connectGrpc(t, gateway.grpcAddress);
    const grpc = callGrpc(session, { headers: { 'x-api-key': key } });
    const { request } = openHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
    request.end('telemetry');
    await until('both are in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 2);
    session.destroy();
    request.destroy();
    await grpc;
    await until('nothing is in flight', async () => (await gateway.metric('keygate_requests_in_flight')) === 0, 1_000);
    redis.thaw();
    await until(
      'the key has been found',
      async () => (await gateway.metric('keygate_store_lookup_seconds_count', { outcome: 'found' })) === 1,
    );
    assert.equal((await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status, 200);
    assert.equal(collector.begun(), 1);
  });
});
