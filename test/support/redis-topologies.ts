import type { RedisServer } from '../../src/store/redis/server.ts';
import { randomPort } from './ports.ts';
import { startRedis } from './redis.ts';
import type { ServerOptions, TestRedis } from './redis.ts';
import { until } from './wait.ts';

/** Timeouts of seconds, where real ones have many, so that a failover takes two or three. */
const DOWN_AFTER_MS = 500;
const READY_WITHIN_MS = 20_000;

/** PEM files: with them all servers speak TLS to one another and to clients, who need a certificate too. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

/** The port for TLS is beside that for the test's own commands. */
function tlsOptions(tls: TlsFiles | undefined, tlsPort: number): ServerOptions {
  return tls === undefined
    ? {}
    : {
        'tls-port': tlsPort,
        'tls-cert-file': tls.certPath,
        'tls-key-file': tls.keyPath,
        'tls-ca-cert-file': tls.certPath,
        'tls-replication': 'yes',
      };
}

export interface SentinelSetup {
  readonly servers: readonly TestRedis[];
  readonly sentinels: readonly TestRedis[];
  readonly server: RedisServer;
  /** The same for store.redis of a configuration. */
  readonly config: { readonly sentinels: string[]; readonly master: string };
  /** The server that the Sentinels take for the primary. */
  primary(): Promise<TestRedis>;
  replica(): Promise<TestRedis>;
  stop(): Promise<void>;
}

const MASTER = 'mymaster';

/** A primary, a replica, and three Sentinels that watch over them. */
export async function startSentinels({ tls }: { tls?: TlsFiles } = {}): Promise<SentinelSetup> {
  const started: TestRedis[] = [];
  const tlsPorts = new Map<TestRedis, number>();
  const portOf = (redis: TestRedis) => tlsPorts.get(redis) ?? redis.port;
  async function startOne(options: ServerOptions, sentinelConfig?: string): Promise<TestRedis> {
    let tlsPort = 0;
    const redis = await startRedis({
      options: () => ({ ...options, ...(tls && tlsOptions(tls, (tlsPort ||= randomPort()))) }),
      ...(sentinelConfig !== undefined && { sentinelConfig }),
    });
    started.push(redis);
    if (tls !== undefined) tlsPorts.set(redis, tlsPort);
    return redis;
  }

  const stop = async () => void (await Promise.all(started.map((redis) => redis.stop())));
  try {
    const replicationOptions = {
      'repl-diskless-sync-delay': 0,
      'repl-ping-replica-period': 1,
      'replica-priority': 100,
    };
    const first = await startOne(replicationOptions);
    const second = await startOne({ ...replicationOptions, replicaof: `127.0.0.1 ${portOf(first)}` });
    const servers = [first, second];
    const sentinels: TestRedis[] = [];
    for (let i = 0; i < 3; i++) {
      const sentinelConfig = [
        `sentinel monitor ${MASTER} 127.0.0.1 ${portOf(first)} 2`,
        `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${MASTER} 3000`,
        `sentinel parallel-syncs ${MASTER} 1`,
        'user keygate on >password -@all +sentinel|master', // beside the test's own, who needs no password
        '',
      ].join('\n');
      sentinels.push(await startOne({}, sentinelConfig));
    }
    for (const sentinel of sentinels) {
      await until(
        'the Sentinels know each other and the replica',
        async () => {
          const info = String(await sentinel.command('INFO', 'sentinel'));
          return info.includes('slaves=1,sentinels=3');
        },
        READY_WITHIN_MS,
      );
    }
    await untilReplicasFollow(first, 1);

    async function primary(): Promise<TestRedis> {
      for (const sentinel of sentinels) {
        const reply = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER).catch(() => undefined);
        const port = Array.isArray(reply) ? Number(reply[1]) : undefined;
        const found = servers.find((redis) => portOf(redis) === port);
        if (found !== undefined) return found;
      }
      throw new Error('no Sentinel answers');
    }

    return {
      servers,
      sentinels,
      server: {
        whereabouts: { kind: 'sentinel', sentinels: sentinels.map(endpointOf), master: MASTER, login: {} },
        login: {},
        database: 0,
      },
      config: { sentinels: sentinels.map((redis) => `127.0.0.1:${portOf(redis)}`), master: MASTER },
      primary,
      async replica() {
        const current = await primary();
        return servers.find((redis) => redis !== current) ?? current;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface ClusterSetup {
  readonly nodes: readonly TestRedis[];
  readonly server: RedisServer;
  /** The same for store.redis of a configuration. */
  readonly config: { readonly nodes: string[] };
  /** The node that serves the slot of this name, as the others see it. */
  ownerOf(name: string): Promise<TestRedis>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Three primaries that share the slots, with as many replicas each as is said. */
export async function startCluster({
  replicas = 0,
  tls,
}: { replicas?: number; tls?: TlsFiles } = {}): Promise<ClusterSetup> {
  const nodes: TestRedis[] = [];
  const busPorts: number[] = [];
  const tlsPorts: number[] = [];
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (let i = 0; i < 3 * (1 + replicas); i++) {
      let [busPort, tlsPort] = [0, 0];
      nodes.push(
        await startRedis({
          options: () => ({
            'cluster-enabled': 'yes',
            'cluster-config-file': 'nodes.conf',
            'cluster-port': (busPort ||= randomPort()),
            'cluster-node-timeout': 1_000,
            'cluster-replica-validity-factor': 0,
            'repl-diskless-sync-delay': 0,
            ...(tls && { ...tlsOptions(tls, (tlsPort ||= randomPort())), 'tls-cluster': 'yes' }),
          }),
        }),
      );
      busPorts.push(busPort);
      tlsPorts.push(tlsPort);
    }
    const primaries = nodes.slice(0, 3);
    const [first] = primaries;
    if (first === undefined) throw new Error('there is no node');
    for (const [index, node] of primaries.entries()) {
      const [from, to] = [Math.ceil((index * SLOTS) / 3), Math.ceil(((index + 1) * SLOTS) / 3) - 1];
      await node.command('CLUSTER', 'ADDSLOTSRANGE', from, to);
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const [index, node] of nodes.entries()) {
      if (node !== first) await first.command('CLUSTER', 'MEET', '127.0.0.1', node.port, busPorts[index] ?? 0);
    }
    for (const node of nodes) {
      await until(
        'all nodes know each other',
        async () =>
          String(await node.command('CLUSTER', 'NODES'))
            .trim()
            .split('\n').length === nodes.length,
        READY_WITHIN_MS,
      );
    }
    for (const [index, replica] of nodes.slice(3).entries()) {
      const id = String(await primaries[index % 3]?.command('CLUSTER', 'MYID'));
      await until(
        'a node becomes a replica',
        () =>
          replica.command('CLUSTER', 'REPLICATE', id).then(
            () => true,
            () => false,
          ),
        READY_WITHIN_MS,
      );
    }
    for (const node of nodes) {
      await until(
        'the Cluster is up',
        async () => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'),
        READY_WITHIN_MS,
      );
    }
    for (const primary of primaries) await untilReplicasFollow(primary, replicas);

    return {
      nodes,
      server: { whereabouts: { kind: 'cluster', nodes: nodes.map(endpointOf) }, login: {}, database: 0 },
      config: { nodes: tls === undefined ? nodes.map(addressOf) : tlsPorts.map((port) => `localhost:${port}`) },
      async ownerOf(name) {
        for (const node of nodes) {
          const slot = await node.command('CLUSTER', 'KEYSLOT', name).catch(() => undefined);
          if (slot === undefined) continue;
          const ranges = (await node.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
          const range = ranges.find(([from, to]) => from <= Number(slot) && Number(slot) <= to);
          const owner = nodes.find(({ port }) => port === range?.[2][1]);
          if (owner !== undefined) return owner;
        }
        throw new Error('nobody knows the owner');
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilReplicasFollow(primary: TestRedis, count: number): Promise<void> {
  await until(
    'the replicas follow',
    async () => (String(await primary.command('INFO', 'replication')).match(/state=online/g) ?? []).length === count,
    READY_WITHIN_MS,
  );
}

const addressOf = ({ port }: TestRedis): string => `127.0.0.1:${port}`;

function endpointOf({ port }: TestRedis): { host: string; port: number } {
  return { host: '127.0.0.1', port };
}
