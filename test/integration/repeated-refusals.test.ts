import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal, reasonOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const ACTOR = { name: 'test' };

async function setUp(t: TestContext, config: Partial<Parameters<typeof startGateway>[1]> = {}) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl, http: collector.httpUrl }, ...config });
  const session = await connectGrpc(t, gateway.grpcAddress);
  /** What both protocols say to this key, in a form that is the same for the same refusal. */
  async function send(key: string): Promise<string> {
    const http = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
    const grpc = await callGrpc(session, { headers: { 'x-api-key': key } });
    if (http.status === 200 && grpc.code === 0) return 'accepted';
    const status = decodeStatus(http.body);
    const { code, reason, trailersOnly } = readRefusal(grpc);
    return [http.status, reasonOf(status), status.message.replace(/request .*/, ''), code, reason, trailersOnly].join(
      ' ',
    );
  }
  return { gateway, send };
}

/** None of this is about time. */
const PATIENCE = { commandTimeout: '2s', socketTimeout: '2s' };

describe('a key that is refused', () => {
  it('is refused in the same words when the answer comes from memory', async (t) => {
    const { gateway, send } = await setUp(t);
    const revoked = await gateway.createKey();
    const disabled = await gateway.createKey();
    const expiring = await gateway.createKey({ expiresAt: Date.now() + 300 });
    await gateway.app.keys.revoke('ingestion', revoked.id, ACTOR);
    await gateway.app.keys.disable('ingestion', disabled.id, ACTOR);
    await delay(300);
    for (const [key, reason] of [
      [revoked.text, 'revoked_key'],
      [disabled.text, 'disabled_key'],
      [expiring.text, 'expired_key'],
      ['no-such-key', 'unknown_key'],
    ] as const) {
      const first = await send(key);
      assert.match(first, new RegExp(`^403 ${reason} .* 7 ${reason} true$`));
      const hits = await gateway.metric('keygate_cache_hits_total');
      for (let i = 0; i < 3; i++) assert.equal(await send(key), first);
      assert.equal(await gateway.metric('keygate_cache_hits_total'), hits + 6, 'they did not come from memory');
    }
  });
});

describe('a key that lives for less than a second', () => {
  it('is accepted until then and refused afterwards, in Redis too, where a life of 0 s could mean one without end', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { gateway, send } = await setUp(t, { store: { redis: { url: redis.url, ...PATIENCE } } });
    const expiresAt = Date.now() + 900;
    const { text } = await gateway.createKey({ expiresAt });
    assert.equal(await send(text), 'accepted');
    await until('it has expired', async () => (await send(text)).startsWith('403 expired_key'), 2_000);
    assert.ok(Date.now() >= expiresAt);
  });
});

describe('a key that was made under a former pepper, or under none,', () => {
  it('is dead with the next request after it was revoked', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const store = { redis: { url: redis.url, ...PATIENCE } };
    const old = { id: 'old', secret: 'a former pepper of many characters' };
    const plain = await (await setUp(t, { store })).gateway.createKey({ name: 'without a pepper' });
    const former = await (await setUp(t, { store, keys: { pepper: old } })).gateway.createKey({ name: 'former' });
    const pepper = { id: 'new', secret: 'the present pepper of many characters' };
    const { gateway, send } = await setUp(t, { store, keys: { pepper, previousPeppers: [old] } });
    for (const { text, id } of [plain, former]) {
      assert.equal(await send(text), 'accepted');
      assert.equal(await send(text), 'accepted');
      await gateway.app.keys.revoke('ingestion', id, ACTOR);
      assert.match(await send(text), /^403 revoked_key/);
    }
  });
});

describe('one record that cannot be read', () => {
  it('keeps out its own key alone, as a doubt and not for good, and the log says so', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { gateway, send } = await setUp(t, { store: { redis: { url: redis.url, ...PATIENCE } } });
    const broken = await gateway.createKey();
    const other = await gateway.createKey();
    await redis.command('HSET', '{keygate}:records', broken.id, '{"id":');
    assert.match(await send(broken.text), /^503 store_unavailable .* 14 store_unavailable true$/);
    assert.equal(await send(other.text), 'accepted');
    const line = gateway.log.find((text) => text.includes('could not be read from the store'));
    assert.match(line ?? '', new RegExp(`"level":"error".*${broken.id}`));
  });
});

describe('a list of keys', () => {
  it('changes none and shows no key', async (t) => {
    const { gateway, send } = await setUp(t);
    const { text } = await gateway.createKey();
    const first = await gateway.app.keys.list('ingestion');
    assert.deepEqual(await gateway.app.keys.list('ingestion'), first);
    assert.equal(await send(text), 'accepted');
    assert.doesNotMatch(JSON.stringify(first), new RegExp(text));
  });
});
