import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { randomPort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';
import type { StartOptions, TestRedis } from '../support/redis.ts';
import { documentedAclRule } from '../support/store-kinds.ts';
import { ENTRY, newRecord, openRedisStore, revoked } from '../support/stores.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

const NOW = 1_700_000_000_000;

async function redisFor(t: TestContext, options?: StartOptions): Promise<TestRedis> {
  const redis = await startRedis(options);
  t.after(() => redis.stop());
  return redis;
}

async function gatewayOn(t: TestContext, redis: object): Promise<Gateway> {
  const collector = await startCollector(t);
  return startGateway(t, {
    store: { redis: { commandTimeout: '300ms', ...redis } },
    upstream: { http: collector.httpUrl },
  });
}

async function statusOf(gateway: Gateway, key: string): Promise<number> {
  return (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status;
}

/** One key that the gateway has served, and one that it has not seen; both are good. */
async function createKeys(gateway: Gateway): Promise<{ known: string; unseen: string }> {
  const known = (await gateway.createKey()).text;
  const unseen = (await gateway.createKey()).text;
  assert.equal(await statusOf(gateway, known), 200);
  return { known, unseen };
}

/** Good keys: one in memory is served, one that is not comes back later. */
async function assertOutage(gateway: Gateway, { known, unseen }: { known: string; unseen: string }): Promise<void> {
  assert.deepEqual([await statusOf(gateway, known), await statusOf(gateway, unseen)], [200, 503]);
}

async function untilServed(gateway: Gateway, key: string): Promise<void> {
  await until('the key is served', async () => {
    const status = await statusOf(gateway, key);
    assert.ok(status === 200 || status === 503, `${status}`);
    return status === 200;
  });
}

/** 3 ms for each key, and answers meanwhile. */
const SLOW_TO_LOAD = {
  'enable-debug-command': 'local',
  'key-load-delay': 3_000,
  'loading-process-events-interval-bytes': 1_024,
};

/** Clients wait until Redis has loaded. */
async function rawPing(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
  try {
    const [data] = (await once(socket, 'data')) as [Buffer];
    return data.toString();
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

describe('a gateway whose Redis', () => {
  it('asks for TLS and a client certificate, speaks it, and says what is wrong with a certificate', async (t) => {
    const { certPath, keyPath } = await createCertificate(t);
    let tlsPort = 0;
    await redisFor(t, {
      options: () => ({
        'tls-port': (tlsPort ||= randomPort()),
        'tls-cert-file': certPath,
        'tls-key-file': keyPath,
        'tls-ca-cert-file': certPath,
      }),
    });
    const url = `rediss://localhost:${tlsPort}`;
    const gateway = await gatewayOn(t, { url, ca: certPath, cert: certPath, key: keyPath });
    const { text } = await gateway.createKey();
    assert.equal(await statusOf(gateway, text), 200);

    const stranger = await gatewayOn(t, { url });
    await until('it says why', async () => {
      const cause = await stranger.app.keys.list('ingestion', {}).then(() => '', String);
      return /cannot be reached: self-signed certificate/.test(cause);
    });
  });

  it('changes the password is served from memory, and goes on when the password is right again', async (t) => {
    const redis = await redisFor(t);
    await redis.command('ACL', ...documentedAclRule('keygate'));
    const gateway = await gatewayOn(t, { url: redis.url, user: 'keygate', password: 'password' });
    const keys = await createKeys(gateway);
    await redis.command('ACL', 'SETUSER', 'keygate', 'resetpass', '>another');
    await redis.command('CLIENT', 'KILL', 'USER', 'keygate');
    await until('it says why', async () => {
      await assertOutage(gateway, keys);
      return /WRONGPASS/.test(await gateway.app.keys.list('ingestion', {}).then(() => '', String));
    });
    assert.doesNotMatch(gateway.log.join(''), /"password"/);
    await redis.command('ACL', 'SETUSER', 'keygate', '>password');
    await untilServed(gateway, keys.unseen);
  });

  it('takes rights away is served from memory, and goes on when they are given back', async (t) => {
    const redis = await redisFor(t);
    await redis.command('ACL', ...documentedAclRule('keygate'));
    const gateway = await gatewayOn(t, { url: redis.url, user: 'keygate', password: 'password' });
    const keys = await createKeys(gateway);
    await redis.command('ACL', 'SETUSER', 'keygate', '-@all', '+info');
    await assertOutage(gateway, keys);
    await assert.rejects(gateway.createKey({ name: 'refused' }), { message: /NOPERM/ });
    await redis.command('ACL', ...documentedAclRule('keygate'));
    await untilServed(gateway, keys.unseen);
  });

  it('loads its data is served from memory, and goes on when it has loaded', async (t) => {
    const redis = await redisFor(t, { options: () => SLOW_TO_LOAD });
    const gateway = await gatewayOn(t, { url: redis.url });
    const keys = await createKeys(gateway);
    await redis.command('DEBUG', 'POPULATE', 500);
    await redis.command('SAVE');
    const restarted = redis.restart();
    await until('it loads', async () => (await rawPing(redis.port)).startsWith('-LOADING'));
    await assertOutage(gateway, keys);
    await restarted;
    await untilServed(gateway, keys.unseen);
  });

  it('is frozen asks it now and then, and answers at once what it cannot know', async (t) => {
    const redis = await redisFor(t);
    const gateway = await gatewayOn(t, { url: redis.url });
    const keys = await createKeys(gateway);
    redis.freeze();
    await Promise.all(Array.from({ length: 10 }, (_, i) => statusOf(gateway, `nobody-knows-${i}`)));
    assert.equal(await gateway.metric('keygate_store_breaker_open'), 1);
    const count = async () => gateway.metric('keygate_store_lookup_seconds_count');
    const [readsBefore, startedAt] = [await count(), performance.now()];
    const waitsMs: number[] = [];
    while (performance.now() - startedAt < 1_000) {
      const sentAt = performance.now();
      assert.equal(await statusOf(gateway, keys.unseen), 503);
      waitsMs.push(performance.now() - sentAt);
      assert.equal(await statusOf(gateway, keys.known), 200);
    }
    const reads = (await count()) - readsBefore;
    assert.ok(reads <= 5, `${reads} reads in a second`);
    const sorted = waitsMs.toSorted((a, b) => a - b);
    assert.ok((sorted[Math.floor(sorted.length / 2)] ?? 0) < 50, `half of them took longer than ${sorted.join()}`);
    redis.thaw();
    await untilServed(gateway, keys.unseen);
    assert.equal(await gateway.metric('keygate_store_breaker_open'), 0);
  });

  it('loses the feed with a revocation in the gap refuses the key when the feed is back', async (t) => {
    const redis = await redisFor(t);
    const gateway = await gatewayOn(t, { url: redis.url });
    const other = await gatewayOn(t, { url: redis.url });
    const { text, id } = await gateway.createKey();
    assert.equal(await statusOf(gateway, text), 200);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal'); // both feeds, and all else
    await until('it is revoked', () =>
      other.app.keys.revoke('ingestion', id, { name: 'a test', via: 'gateway' }).then(
        () => true,
        () => false,
      ),
    );
    await until('it is refused', async () => (await statusOf(gateway, text)) === 403, 2_000);
  });

  it('may delete keys says so, and what to do', async (t) => {
    const redis = await redisFor(t, { options: () => ({ 'maxmemory-policy': 'allkeys-lru' }) });
    const gateway = await gatewayOn(t, { url: redis.url });
    await gateway.createKey();
    assert.equal(await gateway.metric('keygate_store_evicts'), 1);
    assert.match(gateway.log.join(''), /set maxmemory-policy to noeviction/);
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await until('it has looked again', async () => (await gateway.metric('keygate_store_evicts')) === 0);
  });
});

describe('a change that replicas have to confirm', () => {
  it('is made when they do, fails when they do not, and never holds up lookups', async (t) => {
    const primary = await redisFor(t, { options: () => ({ 'repl-diskless-sync-delay': 0 }) });
    const replica = await redisFor(t, {
      options: () => ({ replicaof: `127.0.0.1 ${primary.port}` }),
    });
    const store = openRedisStore(primary.url, { minReplicas: 1 });
    t.after(() => store.close());
    // Once it has, it always does; that its link is up is said before that.
    await until('the replica confirms', () =>
      store.insert(newRecord(), NOW, ENTRY).then(
        () => true,
        () => false,
      ),
    );
    const record = newRecord();
    assert.equal(await store.insert(record, NOW, ENTRY), 'inserted');
    assert.equal(await replica.command('HEXISTS', '{test}:records', record.id), 1);

    replica.freeze();
    const change = store.replace(revoked(record, NOW), ENTRY).then(
      () => assert.fail('nobody confirmed it'),
      (error: Error) => error,
    );
    await delay(50); // it waits now
    assert.equal((await store.find([record.digest]))?.state, 'revoked', 'on the primary it is made');
    const { message } = await change;
    assert.match(message, /made the change, but only 0 of 1 replicas \(store.redis.minReplicas\) confirmed it/);
    replica.thaw();
    assert.equal(await store.insert(newRecord(), NOW, ENTRY), 'inserted');
  });
});
