import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createKeyCache } from '../../src/cache/key-cache.ts';
import { configSchema } from '../../src/config/schema.ts';
import { createDigester } from '../../src/credential/digest.ts';
import { createGate } from '../../src/gate.ts';
import { createCanaryKeys } from '../../src/keys/canary-keys.ts';
import { createMembership } from '../../src/replica/membership.ts';
import type { CanaryRound } from '../../src/replica/canary.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { canaryObserver } from '../../src/telemetry/replica-metrics.ts';
import type { ChangeObserver } from '../../src/store/port.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { newMetrics } from '../support/metrics.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';
import { ENTRY, newRecord, openRedisStore } from '../support/stores.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';

const BROKEN = 'a change of a key does not come true in time';
const PATIENCE_MS = 20_000;

describe('a canary', { timeout: 60_000 }, () => {
  let redis: TestRedis;
  let prefixes = 0;
  before(async () => void (redis = await startRedis()));
  after(() => redis.stop());

  /** A store of its own in that Redis. */
  async function openStore(t: TestContext) {
    const prefix = `canary-${++prefixes}`;
    const store = openRedisStore(redis.url, { prefix, commandTimeoutMs: 5_000, socketTimeoutMs: 10_000 });
    t.after(() => store.close());
    await store.insert(newRecord(), Date.now(), ENTRY); // makes the store
    return { prefix, store };
  }

  const rounds = (gateway: Gateway, outcome: CanaryRound['outcome']): Promise<number> =>
    gateway.metric('keygate_canary_rounds_total', { outcome });

  function canaryKeysOf(store: Parameters<typeof createCanaryKeys>[0]['store']) {
    return createCanaryKeys({ store, digester: createDigester({}), now: Date.now, random: randomBytes, by: 'a test' });
  }

  async function traces(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of ['digests', 'records', 'names', 'usage']) {
      const all = (await redis.command('HGETALL', `{${prefix}}:${name}`)) as string[];
      found.push(...all.filter((text) => text.includes('canary')).map((text) => `${name}: ${text}`));
    }
    for (const name of ['order', 'deaths']) {
      const all = (await redis.command('ZRANGE', `{${prefix}}:${name}`, 0, -1)) as string[];
      found.push(...all.filter((text) => text.includes('canary')).map((text) => `${name}: ${text}`));
    }
    const count = async (command: string, name: string) => Number(await redis.command(command, `{${prefix}}:${name}`));
    // What is in there has no kind: there may be no more of it than of the one key and the fields of the store itself.
    const numbers = { digests: await count('HLEN', 'digests'), records: await count('HLEN', 'records') };
    const others = { names: await count('HLEN', 'names'), order: await count('ZCARD', 'order') };
    const rest = { deaths: await count('ZCARD', 'deaths'), usage: await count('HLEN', 'usage') };
    assert.deepEqual(
      { ...numbers, ...others, ...rest },
      { digests: 4, records: 2, names: 1, order: 1, deaths: 0, usage: 0 },
    );
    return found;
  }

  it('is broken, and that is an error, where changes do not reach the cache of a gateway that believes it is current', async (t) => {
    const { prefix, store } = await openStore(t);
    const lines: string[] = [];
    const log = createLog({ level: 'debug', format: 'json', output: { write: (line) => lines.push(line) } });
    const metrics = newMetrics();
    const cacheOptions = configSchema.parse({}).cache;
    const cache = createKeyCache({
      find: (digests) => store.find(digests),
      now: () => performance.now(),
      maxKeys: 100,
      maxUnknown: 100,
      freshForMs: cacheOptions.freshFor,
      staleForMs: cacheOptions.staleFor,
      unknownForMs: cacheOptions.unknownFor,
      maxLookups: 100,
      maxUnknownLookups: 100,
      lookupTimeoutMs: 5_000,
    });
    /** The feed says that it is current, and what it tells is lost. */
    const cutOff: ChangeObserver = {
      changed: () => undefined,
      gap: () => undefined,
      current: (agoMs) => cache.current?.(agoMs),
    };
    const digest = createDigester({});
    const gate = createGate({
      readCredential: () => ({ problem: 'missing_credential' }),
      digest,
      lookup: cache.lookup,
      now: Date.now,
    });
    const membership = createMembership({
      store,
      cache: cutOff,
      answerTo: async () => undefined,
      name: 'cut-off',
      version: 'test',
      canary: {
        keys: canaryKeysOf(store),
        judge: async (text) => (await gate.judgeKey(text, { to: 'ask' })).decision,
        intervalMs: 20,
        boundMs: 300,
      },
      observe: metrics.replica,
      canaryRound: canaryObserver(metrics.replica, log),
    });
    const watch = await store.watch(membership.observer);
    const end = async (): Promise<void> => {
      await membership.stop();
      await watch.close();
    };
    t.after(end);
    membership.start();
    const said = (): string | undefined => lines.find((line) => line.includes(BROKEN));
    await until('it is noticed', () => said() !== undefined, PATIENCE_MS);
    await end();
    const { level, cause } = JSON.parse(said() ?? '{}') as { level: unknown; cause: unknown };
    assert.deepEqual([level, cause], ['error', 'a revoked key was still allowed after 0.3 s']);
    assert.match(await metrics.registry.metrics(), /keygate_canary_rounds_total\{outcome="broken"\} [1-9]/);
    assert.match(await metrics.registry.metrics(), /keygate_canary_last_kept_timestamp_seconds 0\n/);
    assert.deepEqual(await traces(prefix), []);
  });

  it('is broken, and names the gateway, where another one does not apply a change', async (t) => {
    const { prefix, store } = await openStore(t);
    const gateway = await startGateway(t, {
      store: { redis: { url: redis.url, prefix } },
      cache: { freshFor: '1s' },
      canary: { interval: '20ms' },
    });
    const stuck = { id: 'stuck', name: 'stuck:1', version: '0', startedAt: 0, store: null, applied: 0 };
    const beat = () => store.replicas.acknowledge({ ...stuck, appliedAt: undefined });
    const beats = setInterval(() => void beat().catch(() => undefined), 200); // the last one may find the store closed
    t.after(() => clearInterval(beats));
    const said = (): boolean => gateway.log.some((line) => line.includes(BROKEN) && line.includes('stuck:1'));
    await until('it is noticed', said, PATIENCE_MS);
    assert.ok((await rounds(gateway, 'broken')) >= 1);
  });

  it('is unmeasured where another one falls silent before it has applied a change', async (t) => {
    const { prefix, store } = await openStore(t);
    const gateway = await startGateway(t, {
      store: { redis: { url: redis.url, prefix } },
      // Longer than one that was killed passes for live.
      cache: { freshFor: `${store.replicas.liveForMs + 1_000}ms` },
      canary: { interval: '20ms' },
    });
    await until('rounds are kept', async () => (await rounds(gateway, 'kept')) > 0, PATIENCE_MS);
    const killed = { id: 'killed', name: 'killed:1', version: '0', startedAt: 0, store: null, applied: 0 };
    await store.replicas.acknowledge({ ...killed, appliedAt: undefined });
    const said = (): boolean => gateway.log.some((line) => line.includes('replicas that fell silent: killed:1'));
    await until('it is waited for in vain', said, PATIENCE_MS);
    assert.ok((await rounds(gateway, 'unmeasured')) > 0);
    const kept = await rounds(gateway, 'kept');
    await until('rounds are kept again', async () => (await rounds(gateway, 'kept')) > kept, PATIENCE_MS);
    assert.equal(await rounds(gateway, 'broken'), 0);
  });

  it('is unmeasured while the store is away, in any of its steps, and leaves nothing when it is back', async (t) => {
    const { prefix } = await openStore(t);
    const link = await startTcpProxy(redis.port);
    t.after(() => link.close());
    const gateway = await startGateway(t, {
      store: { redis: { url: `redis://127.0.0.1:${link.port}`, prefix } },
      canary: { interval: '10ms' },
    });
    for (let outage = 1; outage <= 5; outage++) {
      const [kept, unmeasured] = [await rounds(gateway, 'kept'), await rounds(gateway, 'unmeasured')];
      await until('rounds are kept', async () => (await rounds(gateway, 'kept')) > kept, PATIENCE_MS);
      link.set('cut');
      await until('rounds fail', async () => (await rounds(gateway, 'unmeasured')) > unmeasured, PATIENCE_MS);
      link.set('open');
    }
    const kept = await rounds(gateway, 'kept');
    await until('rounds are kept again', async () => (await rounds(gateway, 'kept')) > kept, PATIENCE_MS);
    assert.equal(await rounds(gateway, 'broken'), 0);
    assert.ok(!gateway.log.some((line) => line.includes(BROKEN)));
    await gateway.app.close();
    assert.deepEqual(await traces(prefix), []);
  });

  it('that is in the store is in no list, no export, no audit log and no count, and cannot be named', async (t) => {
    const { prefix, store } = await openStore(t);
    const keys = canaryKeysOf(store);
    const [active, dead] = [keys.draw(), keys.draw()];
    for (const key of [active, dead]) await keys.plant(key);
    await keys.revoke(dead);
    const home = createCliHome();
    t.after(() => home.remove());
    const env = {
      KEYGATE_STORE_REDIS_URL: redis.url,
      KEYGATE_STORE_REDIS_PREFIX: prefix,
      KEYGATE_STORE_REDIS_COMMAND_TIMEOUT: '5s',
      KEYGATE_STORE_REDIS_SOCKET_TIMEOUT: '10s',
    };
    for (const command of [
      ['ingestion-api-key', 'list', '--all'],
      ['ingestion-api-key', 'list', '--all', '--limit', '10'],
      ['service-token', 'list', '--all'],
      ['service-id', 'list'],
      ['user', 'list'],
      ['keys', 'export', '--all', '--file', home.at('export')],
      ['audit', 'list'],
    ]) {
      const { code, stdout, stderr } = await runHere(command, env);
      assert.equal(code, 0, `${command.join(' ')}: ${stderr}`);
      assertNoTrace(stdout, command.join(' '));
    }
    assertNoTrace(readFileSync(home.at('export'), 'utf8'), 'the export');
    function assertNoTrace(text: string, where: string): void {
      assert.doesNotMatch(text, /canary/i, where);
      for (const { record } of [active, dead]) assert.ok(!text.includes(record.id), where);
    }
    const described = await runHere(['ingestion-api-key', 'describe', active.record.id], env);
    assert.notEqual(described.code, 0);
    for (const key of [active, dead]) await keys.forget(key);
    assert.deepEqual(await traces(prefix), []);
  });
});
