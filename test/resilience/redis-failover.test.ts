import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import type { TestRedis } from '../support/redis.ts';
import { startCluster, startSentinels } from '../support/redis-topologies.ts';
import { documentedAclRule } from '../support/store-kinds.ts';
import { createCertificate } from '../support/tls.ts';
import { openRedisStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';

/** Failure detection is set to half a second; the election and a busy machine take the rest. */
const FAILOVER_MS = 30_000;
/** A lookup may take 100 ms; the rest is for a busy machine. */
const ANSWERED_WITHIN_MS = 1_000;

interface Topology {
  readonly config: object;
  primary(): Promise<TestRedis>;
  stop(): Promise<void>;
}

const TOPOLOGIES: Readonly<Record<string, () => Promise<Topology>>> = {
  Sentinel: startSentinels,
  'a Cluster': async () => {
    const cluster = await startCluster({ replicas: 1 });
    return { config: cluster.config, stop: cluster.stop, primary: () => cluster.ownerOf('{keygate}:digests') };
  },
};

interface Fault {
  begin(primary: TestRedis): Promise<void>;
  end(primary: TestRedis): Promise<void>;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  killed: { begin: (primary) => primary.kill(), end: async () => undefined },
  'frozen, and thawed when another one has its place': {
    begin: async (primary) => primary.freeze(),
    end: async (primary) => primary.thaw(),
  },
};

interface Answer {
  readonly key: string;
  readonly status: number;
  readonly ms: number;
}

/** Sends with these keys one after the other until it is stopped; then it gives all answers. */
function startLoad(t: TestContext, gateway: Gateway, keys: readonly string[]): () => Promise<Answer[]> {
  const agent = keepAliveAgent(t);
  const answers: Answer[] = [];
  const stop = new AbortController();
  const running = (async () => {
    for (let i = 0; !stop.signal.aborted; i++) {
      const key = keys[i % keys.length] ?? '';
      const startedAt = performance.now();
      const { status } = await callHttp(gateway.httpUrl, { agent, headers: { 'x-api-key': key } });
      answers.push({ key, status, ms: performance.now() - startedAt });
      await delay(5);
    }
  })();
  return async () => {
    stop.abort();
    await running;
    return answers;
  };
}

async function statusOf(gateway: Gateway, key: string): Promise<number> {
  return (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status;
}

for (const [topology, start] of Object.entries(TOPOLOGIES)) {
  describe(`a failover in ${topology}`, { timeout: 110_000 }, () => {
    for (const [what, fault] of Object.entries(FAULTS)) {
      it(`of a primary that was ${what}: no good key is refused, and a revocation made in it holds`, async (t) => {
        const redis = await start();
        t.after(() => redis.stop());
        const collector = await startCollector(t);
        const config = {
          store: { redis: redis.config },
          upstream: { http: collector.httpUrl },
        };
        const [gateway, other] = [await startGateway(t, config), await startGateway(t, config)];
        const create = async () => gateway.createKey();
        const known = await Promise.all([create(), create(), create()]);
        const unseen = await Promise.all([create(), create(), create()]);
        const doomed = await create();
        for (const each of [gateway, other]) {
          for (const { text } of [...known, doomed]) assert.equal(await statusOf(each, text), 200);
        }

        await delay(200); // the replica hears of the keys
        const primary = await redis.primary();
        const stopKnown = startLoad(
          t,
          gateway,
          known.map(({ text }) => text),
        );
        const stopUnseen = startLoad(
          t,
          gateway,
          unseen.map(({ text }) => text),
        );
        await fault.begin(primary);
        let refusedChanges = 0;
        await until(
          'a key can be revoked again',
          async () => {
            try {
              await other.app.keys.revoke('ingestion', doomed.id, { name: 'a test', via: 'gateway' });
              return true;
            } catch {
              refusedChanges++;
              await delay(100);
              return false;
            }
          },
          FAILOVER_MS,
        );
        assert.ok(refusedChanges > 0, 'no failover was needed');
        for (const each of [gateway, other]) {
          await until('it is refused', async () => (await statusOf(each, doomed.text)) === 403, FAILOVER_MS);
        }
        for (const { text } of unseen) {
          await until('unseen keys are served', async () => (await statusOf(gateway, text)) === 200, FAILOVER_MS);
        }
        await fault.end(primary);
        assert.notEqual((await redis.primary()).port, primary.port);
        const created = await other.createKey({ name: 'made afterwards' });
        await until('a new key is served', async () => (await statusOf(gateway, created.text)) === 200);
        await delay(1_000); // the old primary has time to confuse somebody
        for (const each of [gateway, other]) assert.equal(await statusOf(each, doomed.text), 403);

        const [knownAnswers, unseenAnswers] = [await stopKnown(), await stopUnseen()];
        assert.deepEqual(new Set(knownAnswers.map(({ status }) => status)), new Set([200]));
        assert.deepEqual(new Set(unseenAnswers.map(({ status }) => status)), new Set([503, 200]));
        const slowestMs = Math.max(...[...knownAnswers, ...unseenAnswers].map(({ ms }) => ms));
        assert.ok(slowestMs < ANSWERED_WITHIN_MS, `one took ${slowestMs} ms`);
      });
    }
  });
}

describe('with TLS and a user of its own', { timeout: 110_000 }, () => {
  const user = { tls: true, user: 'keygate', password: 'password', minReplicas: 1 };

  it('a gateway finds its keys through Sentinels', async (t) => {
    const tls = await createCertificate(t);
    const redis = await startSentinels({ tls });
    t.after(() => redis.stop());
    for (const server of redis.servers) await server.command('ACL', ...documentedAclRule('keygate'));
    const collector = await startCollector(t);
    const files = { ca: tls.certPath, cert: tls.certPath, key: tls.keyPath };
    const gateway = await startGateway(t, {
      store: { redis: { ...redis.config, ...user, ...files, sentinelUser: 'keygate', sentinelPassword: 'password' } },
      upstream: { http: collector.httpUrl },
    });
    assert.equal(await statusOf(gateway, (await gateway.createKey()).text), 200);
  });

  it('a gateway finds its keys in a Cluster', async (t) => {
    const tls = await createCertificate(t);
    const cluster = await startCluster({ tls, replicas: 1 });
    t.after(() => cluster.stop());
    for (const server of cluster.nodes) await server.command('ACL', ...documentedAclRule('keygate'));
    const collector = await startCollector(t);
    const files = { ca: tls.certPath, cert: tls.certPath, key: tls.keyPath };
    const gateway = await startGateway(t, {
      store: { redis: { ...cluster.config, ...user, ...files } },
      upstream: { http: collector.httpUrl },
    });
    assert.equal(await statusOf(gateway, (await gateway.createKey()).text), 200);
  });
});

describe('Sentinels', { timeout: 110_000 }, () => {
  it('may be frozen or gone, as long as most are there; a failover by hand is followed', async (t) => {
    const redis = await startSentinels();
    t.after(() => redis.stop());
    const collector = await startCollector(t);
    redis.sentinels[0]?.freeze();
    const startedAt = performance.now();
    const gateway = await startGateway(t, {
      store: { redis: redis.config },
      upstream: { http: collector.httpUrl },
    });
    const { text } = await gateway.createKey();
    assert.ok(performance.now() - startedAt < 5_000, 'the frozen one was waited for');

    redis.sentinels[0]?.thaw();
    const before = await redis.primary();
    await until('the failover begins', async () => {
      const reply = await redis.sentinels[1]?.command('SENTINEL', 'FAILOVER', redis.config.master).catch(() => 'no');
      return reply === 'OK';
    });
    await until('it has happened', async () => (await redis.primary()).port !== before.port, FAILOVER_MS);
    await until(
      'a change can be made',
      async () => {
        return gateway.createKey({ name: `after ${Math.random()}` }).then(
          () => true,
          () => false,
        );
      },
      FAILOVER_MS,
    );
    assert.equal(await statusOf(gateway, text), 200);

    for (const sentinel of redis.sentinels) await sentinel.kill();
    assert.equal(await statusOf(gateway, (await gateway.createKey()).text), 200);
  });
});

describe('a Cluster without replicas', { timeout: 110_000 }, () => {
  it('that loses the node with our slot is waited for: nobody gets a 403', async (t) => {
    const cluster = await startCluster();
    t.after(() => cluster.stop());
    const collector = await startCollector(t);
    const gateway = await startGateway(t, {
      store: { redis: { nodes: cluster.config.nodes.slice(0, 2) } },
      upstream: { http: collector.httpUrl },
    });
    const [known, unseen] = [await gateway.createKey(), await gateway.createKey()];
    assert.equal(await statusOf(gateway, known.text), 200);
    const owner = await cluster.ownerOf('{keygate}:digests');
    owner.freeze();
    await delay(3_000); // by now the others answer CLUSTERDOWN
    assert.equal(await statusOf(gateway, known.text), 200);
    assert.equal(await statusOf(gateway, unseen.text), 503);
    assert.equal(await statusOf(gateway, 'may-not-exist'), 503);
    owner.thaw();
    await until('unseen keys are served', async () => (await statusOf(gateway, unseen.text)) === 200, FAILOVER_MS);
  });

  it('that gives our slot to another node is followed there', async (t) => {
    const cluster = await startCluster();
    t.after(() => cluster.stop());
    const collector = await startCollector(t);
    const gateway = await startGateway(t, {
      store: { redis: cluster.config },
      upstream: { http: collector.httpUrl },
    });
    const { text: known } = await gateway.createKey();
    const { text: unseen } = await gateway.createKey();
    assert.equal(await statusOf(gateway, known), 200);
    const owner = await cluster.ownerOf('{keygate}:digests');
    const mistaken = openRedisStore(cluster.nodes.find((node) => node !== owner)?.url ?? '', { prefix: 'keygate' });
    t.after(() => mistaken.close());
    await assert.rejects(mistaken.ping(), { message: /node of a Cluster.*Set store.redis.nodes in place of url/ });
    const target = cluster.nodes.find((node) => node !== owner) ?? owner;
    await moveSlot(owner, target, cluster.nodes);
    assert.equal(await statusOf(gateway, known), 200);
    await until('unseen keys are served', async () => {
      const status = await statusOf(gateway, unseen);
      assert.ok(status === 200 || status === 503, `${status}`);
      return status === 200;
    });
    await gateway.createKey();
    assert.equal((await cluster.ownerOf('{keygate}:digests')).port, target.port);
  });
});

/** What redis-cli --cluster reshard does, for our slot. */
async function moveSlot(from: TestRedis, to: TestRedis, nodes: readonly TestRedis[]): Promise<void> {
  const slot = Number(await from.command('CLUSTER', 'KEYSLOT', '{keygate}:digests'));
  const [fromId, toId] = [String(await from.command('CLUSTER', 'MYID')), String(await to.command('CLUSTER', 'MYID'))];
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  const names = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
  for (const name of names) await from.command('MIGRATE', '127.0.0.1', to.port, name, 0, 1_000);
  for (const node of [to, ...nodes.filter((each) => each !== to)]) {
    await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }
}
