import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createKeyCache } from '../../src/cache/key-cache.ts';
import type { KeyDigest } from '../../src/credential/digest.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { ENTRY, newRecord, openRedisStore, revoked } from '../support/stores.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';

const NOW = 1_700_000_000_000;
const NOBODY_LISTENS = 1;

describe('a gateway whose feed and lookups are connected to two servers', { timeout: 60_000 }, () => {
  let primary: TestRedis;
  let replica: TestRedis;
  const options = () => ({ 'repl-diskless-sync-delay': 0 });
  before(async () => void ([primary, replica] = await Promise.all([startRedis({ options }), startRedis({ options })])));
  after(() => Promise.all([primary.stop(), replica.stop()]));

  const record = newRecord();
  beforeEach(async () => {
    await replica.command('REPLICAOF', 'NO', 'ONE');
    await Promise.all([primary.command('FLUSHALL'), replica.command('FLUSHALL')]);
    const store = openRedisStore(primary.url);
    await store.insert(record, NOW, ENTRY);
    await store.close();
    await replica.command('REPLICAOF', '127.0.0.1', primary.port);
    await until('the replica has the key', async () => Boolean(await replica.command('EXISTS', '{test}:records')));
  });

  function open(t: TestContext, port: number) {
    const store = openRedisStore(`redis://127.0.0.1:${port}`);
    t.after(() => store.close());
    return store;
  }

  /** A cache before this server, whose feed can be brought to the other one. */
  async function openCache(t: TestContext, server: TestRedis, other: TestRedis) {
    const proxy = await startTcpProxy(server.port);
    t.after(() => proxy.close());
    const store = open(t, proxy.port);
    const cache = createKeyCache({
      find: (digests) => store.find(digests),
      now: () => performance.now(),
      maxKeys: 10,
      maxUnknown: 10,
      freshForMs: 60_000,
      staleForMs: 3_600_000,
      unknownForMs: 60_000,
      maxLookups: 10,
      maxUnknownLookups: 1_000,
      lookupTimeoutMs: 1_000,
    });
    const told = new Set<KeyDigest>();
    const changed = (digest: KeyDigest) => {
      cache.changed(digest);
      told.add(digest);
    };
    const watch = await store.watch({ ...cache, changed });
    t.after(() => watch.close());

    async function clientOf(redis: TestRedis, name: string): Promise<string | undefined> {
      const clients = String(await redis.command('CLIENT', 'LIST')).split('\n');
      return /^id=(\d+)/.exec(clients.find((line) => line.includes(`name=${name} `)) ?? '')?.[1];
    }

    return {
      store,
      ask: async (digest: KeyDigest) => cache.lookup({ digest, alternates: [] }),
      hasHeardOf: (digest: KeyDigest) => until('the feed tells of the change', () => told.has(digest)),
      async bringFeedToOther() {
        proxy.leadTo(other.port);
        await server.command('CLIENT', 'KILL', 'ID', (await clientOf(server, 'keygate-feed')) ?? '');
        await until('the feed is there', async () => (await clientOf(other, 'keygate-feed')) !== undefined);
      },
    };
  }

  describe('and the lookups ask a replica that lags', () => {
    async function setUp(t: TestContext) {
      const gateway = await openCache(t, replica, primary);
      await gateway.ask(record.digest);
      await gateway.bringFeedToOther();
      await replica.command('REPLICAOF', '127.0.0.1', NOBODY_LISTENS);
      return { ...gateway, admin: open(t, primary.port) };
    }

    it('does not let a revoked key in again', async (t) => {
      const { admin, ask, hasHeardOf } = await setUp(t);
      await admin.replace(revoked(record, NOW), ENTRY);
      await hasHeardOf(record.digest);
      const answer = await ask(record.digest);
      assert.ok(answer.kind === 'unavailable' || (answer.kind === 'known' && answer.record.state === 'revoked'));
      await until('it is refused', async () => {
        const late = await ask(record.digest);
        return late.kind === 'known' && late.record.state === 'revoked';
      });
    });

    it('does not take a new key for unknown', async (t) => {
      const { admin, ask, hasHeardOf } = await setUp(t);
      const created = newRecord();
      await admin.insert(created, NOW, ENTRY);
      await hasHeardOf(created.digest);
      assert.notEqual((await ask(created.digest)).kind, 'unknown');
      await until('it is known', async () => (await ask(created.digest)).kind === 'known');
    });
  });

  it('forgets what a failover has lost, though the old primary still has it', async (t) => {
    const { store, ask, bringFeedToOther, hasHeardOf } = await openCache(t, primary, replica);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    const lost = newRecord();
    await store.insert(lost, NOW, ENTRY);
    await hasHeardOf(lost.digest);
    assert.equal((await ask(lost.digest)).kind, 'known');
    await bringFeedToOther();
    await until('it is unknown', async () => (await ask(lost.digest)).kind === 'unknown');
  });
});
