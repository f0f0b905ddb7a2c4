import { z } from 'zod';
import { isLive } from '../replica/progress.ts';
import { StoreError } from '../store/port.ts';
import type { ReplicaRoll, ReplicaStore } from '../store/replica-port.ts';
import type { Answer } from './answer.ts';
import { epochMs } from './schemas.ts';

/** What goes over the wire about the state of one gateway. */

const count = z.int().nonnegative();
const port = z.strictObject({ port: count, tls: z.boolean() });

const gatewayStateSchema = z.strictObject({
  workers: count.describe('The processes that share its ports. All numbers are theirs together.'),
  draining: z.boolean(),
  ports: z.strictObject({ grpc: port, http: port }).describe('Where it takes telemetry.'),
  connections: z.strictObject({ grpc: count, http: count }).describe('Open connections of senders.'),
  store: z.strictObject({
    kind: z.enum(['redis', 'sqlite']),
    up: z.boolean().describe('Whether it answers and is ours.'),
    breakerOpen: z.boolean().describe('It failed again and again, and is asked by one probe at a time.'),
    evicts: z.boolean().describe('Whether Redis would delete keys when its memory is full.'),
  }),
  feed: z.strictObject({ up: z.boolean().describe('Whether changes of keys come in as they are made.') }),
  cache: z.strictObject({
    known: count.describe('Keys in memory.'),
    maxKnown: count,
    unknown: count.describe('Digests in memory that no key has.'),
    maxUnknown: count,
    hits: count.describe('Answered from memory, since the start.'),
    agedHits: count.describe('Those of them whose record had not been confirmed for a while.'),
    misses: count.describe('Looked up in the store, since the start.'),
    shed: count.describe('Neither in memory nor looked up: their senders were asked to retry.'),
  }),
  collectors: z
    .array(
      z.strictObject({
        protocol: z.enum(['grpc', 'http']),
        healthy: count.describe('Addresses that get requests.'),
        ejected: count.describe('Addresses that failed, and get none for a while.'),
        connections: count,
      }),
    )
    .describe('What is behind this gateway.'),
});

const replicaSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  startedAt: epochMs,
  live: z.boolean().describe('false: not heard of for a while. It has ended, or is cut off from the store.'),
  silentForMs: count.describe('Since it was last heard of.'),
  changesBehind: count.describe('Changes of keys that it has not told to have applied.'),
});

export const overviewSchema = gatewayStateSchema.extend({
  gateway: z.string().describe('Its name among the replicas.'),
  version: z.string(),
  at: epochMs,
  replicas: z.array(replicaSchema).optional().describe('Absent where the store does not say.'),
});

export type GatewayState = z.output<typeof gatewayStateSchema>;
export type Overview = z.output<typeof overviewSchema>;

export interface OverviewDeps {
  /** A plain record, which may have come from another process. */
  readonly look: () => GatewayState | Promise<GatewayState>;
  readonly gateway: string;
  readonly version: string;
  readonly replicas: ReplicaStore;
  readonly now: () => number;
}

export function createOverviewOperation({ look, gateway, version, replicas, now }: OverviewDeps) {
  return async (): Promise<Answer> => {
    const [state, others] = await Promise.all([look(), readReplicas(replicas)]);
    const body: Overview = { ...state, gateway, version, at: now(), ...(others !== undefined && { replicas: others }) };
    return { status: 200, body };
  };
}

/** Undefined when the store is away: that is when the rest is wanted most. */
async function readReplicas(store: ReplicaStore): Promise<Overview['replicas']> {
  let roll: ReplicaRoll;
  try {
    roll = await store.replicas();
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
  return roll.replicas
    .map((replica) => ({
      name: replica.name,
      version: replica.version,
      startedAt: replica.startedAt,
      live: isLive(replica, roll, store),
      silentForMs: Math.max(0, Math.round((roll.now - replica.seenAt) / 1_000)),
      changesBehind: Math.max(0, roll.lastChange - replica.applied),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}
