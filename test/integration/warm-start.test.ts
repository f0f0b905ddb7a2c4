import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { reasonOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const SECRET = 'a-secret-of-at-least-16-characters';

interface Setup {
  readonly redis: TestRedis;
  readonly path: string;
  /** A gateway as an operator would start it again: same configuration, nothing in memory. */
  readonly start: (options?: { staleFor?: string; secret?: string }) => Promise<Gateway>;
  /** What was left behind by a gateway that has ended. */
  readonly keys: Readonly<Record<'known' | 'other' | 'revoked' | 'unseen', { text: string; id: string }>>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const directory = await mkdtemp(join(tmpdir(), 'keygate-warm-start-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'snapshot');
  const collector = await startCollector(t);
  const start: Setup['start'] = ({ staleFor = '1h', secret = SECRET } = {}) =>
    startGateway(t, {
      store: { redis: { url: redis.url, commandTimeout: '300ms' } },
      cache: { staleFor, snapshot: { path, secret } },
      upstream: { http: collector.httpUrl },
    });

  const first = await start();
  const keys = {
    known: await first.createKey(),
    other: await first.createKey(),
    revoked: await first.createKey(),
    unseen: await first.createKey(),
  };
  await first.app.keys.revoke('ingestion', keys.revoked.id, { name: 'test' });
  assert.deepEqual(
    [await send(first, keys.known), await send(first, keys.other), await send(first, keys.revoked)],
    ['200', '200', '403 revoked_key'],
  );
  await first.app.drain();
  return { redis, path, start, keys };
}

async function send(gateway: Gateway, { text }: { text: string }): Promise<string> {
  const { status, body } = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': text } });
  return status === 200 ? '200' : `${status} ${reasonOf(decodeStatus(body))}`;
}

async function isReady({ addresses }: Gateway): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${addresses.ops.port}/readyz`)).ok;
}

describe('a gateway that is started again', { timeout: 60_000 }, () => {
  const outages = { killed: (redis: TestRedis) => redis.kill(), frozen: async (redis: TestRedis) => redis.freeze() };
  for (const [outage, begin] of Object.entries(outages)) {
    it(`while Redis is ${outage}: serves the keys it knew, refuses the revoked ones, and cannot tell of others`, async (t) => {
      const { redis, start, keys } = await setUp(t);
      await begin(redis);
      const gateway = await start();
      assert.ok(await isReady(gateway));
      assert.equal(await send(gateway, keys.known), '200');
      assert.equal(await send(gateway, keys.revoked), '403 revoked_key');
      assert.match(await send(gateway, keys.unseen), /^503 store_/);
      assert.match(await send(gateway, { text: 'no-such-key' }), /^503 store_/);
      assert.equal(await gateway.metric('keygate_cache_hits_total', { pool: 'known', aged: 'true' }), 2);
      assert.equal(await gateway.metric('keygate_snapshot_loads_total', { outcome: 'loaded' }), 1);
    });
  }

  it('refuses from the first request a key that was revoked meanwhile, and answers the others from memory', async (t) => {
    const { start, keys, redis } = await setUp(t);
    await revokeElsewhere(t, redis, keys.known.id);
    const gateway = await start();
    assert.equal(await send(gateway, keys.known), '403 revoked_key');
    assert.equal(await gateway.metric('keygate_cache_misses_total'), 1);
    assert.equal(await send(gateway, keys.other), '200');
    assert.equal(await gateway.metric('keygate_cache_misses_total'), 1);
    await gateway.app.drain();
    await redis.kill();
    assert.equal(await send(await start(), keys.known), '403 revoked_key', 'it is written down again');
  });

  it('hears of a revocation that it missed as soon as Redis is back', async (t) => {
    const { redis, start, keys } = await setUp(t);
    await revokeElsewhere(t, redis, keys.known.id);
    await redis.command('SAVE');
    await redis.kill();
    const gateway = await start();
    assert.equal(await send(gateway, keys.known), '200', 'nobody can know');
    await redis.restart();
    await until('the key is refused', async () => (await send(gateway, keys.known)) === '403 revoked_key');
    assert.equal(await send(gateway, keys.other), '200');
  });

  it('trusts nothing of the snapshot when the changes since then are lost', async (t) => {
    const { redis, start, keys } = await setUp(t);
    await revokeElsewhere(t, redis, keys.known.id);
    await redis.command('XTRIM', '{keygate}:changes', 'MAXLEN', 0);
    const gateway = await start();
    assert.equal(await send(gateway, keys.known), '403 revoked_key');
    assert.equal(await send(gateway, keys.other), '200');
    assert.equal(await gateway.metric('keygate_cache_misses_total'), 2);
  });

  it('cannot tell of any key when Redis was flushed, again and again', async (t) => {
    const { redis, start, keys } = await setUp(t);
    await redis.command('FLUSHALL');
    for (const attempt of [1, 2]) {
      const gateway = await start();
      assert.equal(await send(gateway, keys.known), '503 store_unavailable', `start ${attempt}`);
      await gateway.app.drain();
    }
  });

  it('refuses a key that has expired meanwhile', async (t) => {
    const { redis, start } = await setUp(t);
    const before = await start();
    const expiresAt = Date.now() + 1_500;
    const key = await before.createKey({ name: 'short-lived', expiresAt });
    assert.equal(await send(before, key), '200');
    await before.app.drain();
    await redis.kill();
    const gateway = await start();
    await until('its time is over', () => Date.now() >= expiresAt);
    assert.equal(await send(gateway, key), '403 expired_key');
  });

  it('writes a changed key down within a second, without being told to end', async (t) => {
    const { start, path, keys } = await setUp(t);
    const gateway = await start();
    assert.equal(await send(gateway, keys.unseen), '200');
    const written = async () => (await readFile(path, 'utf8')).includes(`"id":"${keys.unseen.id}"`);
    await until('it is in the file', written, 2_000);
    await gateway.app.keys.revoke('ingestion', keys.unseen.id, { name: 'test' });
    await until('it is in the file no more', async () => !(await written()), 2_000);
  });

  it('starts cold where the file was tampered with, and says what to do', async (t) => {
    const { redis, start, path, keys } = await setUp(t);
    await writeFile(path, (await readFile(path, 'utf8')).replace('"revoked"', '"active"'));
    await redis.kill();
    const gateway = await start();
    assert.match(await send(gateway, keys.known), /^503/);
    assert.ok(!(await isReady(gateway)));
    assert.equal(await gateway.metric('keygate_snapshot_loads_total', { outcome: 'signature' }), 1);
    assert.ok(gateway.log.some((line) => line.includes('find out who can write to it')));
  });

  it('leaves a file that holds no key, for its owner only', async (t) => {
    const { path, keys } = await setUp(t);
    const text = await readFile(path, 'utf8');
    for (const key of Object.values(keys)) assert.ok(!text.includes(key.text));
    assert.ok(!text.includes('iapikeyok-'));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  /** By another gateway, which keeps no snapshot. */
  async function revokeElsewhere(t: TestContext, redis: TestRedis, id: string): Promise<void> {
    const elsewhere = await startGateway(t, {
      store: { redis: { url: redis.url, commandTimeout: '300ms' } },
      upstream: { http: 'http://127.0.0.1:9' },
    });
    await elsewhere.app.keys.revoke('ingestion', id, { name: 'test' }, { force: true });
  }
});
