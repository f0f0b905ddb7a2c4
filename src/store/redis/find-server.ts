import { Command, Redis } from 'ioredis';
import { formatEndpoint, socketOptions } from './server.ts';
import type { Endpoint, Login, RedisServer } from './server.ts';

export interface FindServerOptions {
  readonly server: RedisServer;
  /** A name of ours in the Cluster: all of them are in one slot, and so on one node. */
  readonly slotKey: string;
  /** The longest that finding the server may take, whoever does not answer. */
  readonly timeoutMs: number;
}

/** Finds the server that has our keys now; rejects if nobody knows it. */
export type FindServer = (closing: AbortSignal) => Promise<Endpoint>;

/**
 * ioredis can do this too, but its way of waiting is not ours: it asks Sentinels one after the other and believes the
 * first, and its Cluster client keeps commands while it follows redirections. All our names are in one slot, so that in a
 * Cluster too there is just one server to talk to, and a failover is a lost connection and a new one.
 */
export function createFindServer({ server, slotKey, timeoutMs }: FindServerOptions): FindServer {
  const { whereabouts, login, tls } = server;
  switch (whereabouts.kind) {
    case 'standalone':
      return async () => whereabouts.endpoint;
    case 'sentinel': {
      const { sentinels, master } = whereabouts;
      const ask = (client: Redis) => client.call('SENTINEL', 'MASTER', master).then(readPrimary);
      const open = (endpoint: Endpoint) => openClient(endpoint, { login: whereabouts.login, tls, timeoutMs });
      return async (closing) => newest(await survey(sentinels, { open, ask, timeoutMs, closing }));
    }
    case 'cluster': {
      // The nodes of our slot as last heard of, beside those of the configuration, which may all have been replaced.
      let heard: readonly Endpoint[] = [];
      const slot = new Command('hget', [slotKey, '']).getSlot();
      const open = (endpoint: Endpoint) => openClient(endpoint, { login, tls, timeoutMs });
      const ask = async (client: Redis, from: Endpoint) =>
        readSlotNodes(await client.call('CLUSTER', 'SLOTS'), { slot, from });
      return async (closing) => {
        const nodes = distinct([...whereabouts.nodes, ...heard]);
        heard = mostNamed(await survey(nodes, { open, ask, timeoutMs, closing })).slice(0, MAX_HEARD);
        const [owner] = heard;
        if (owner === undefined) throw new Error('no node of the Cluster serves our slot');
        return owner;
      };
    }
  }
}

const MAX_HEARD = 8;

interface Survey<Answer> {
  readonly open: (endpoint: Endpoint) => Redis;
  readonly ask: (client: Redis, from: Endpoint) => Promise<Answer>;
  readonly timeoutMs: number;
  readonly closing: AbortSignal;
}

/**
 * Asks all at once, and ends when most have answered: one alone may have been cut off and know only what was. Those that
 * do not answer are waited for only where there is no majority without them, and no longer than the time allows.
 */
async function survey<Answer>(
  endpoints: readonly Endpoint[],
  { open, ask, timeoutMs, closing }: Survey<Answer>,
): Promise<readonly [Answer, ...Answer[]]> {
  const answers: Answer[] = [];
  const faults: string[] = [];
  const clients = endpoints.map((endpoint) => ({ endpoint, client: open(endpoint) }));
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const timer = setTimeout(end, timeoutMs);
  closing.addEventListener('abort', () => end(), { once: true });

  const all = clients.map(async ({ endpoint, client }) => {
    let connectionFault: Error | undefined;
    client.on('error', (error: Error) => (connectionFault = error));
    try {
      answers.push(await ask(client, endpoint));
      if (answers.length > endpoints.length / 2) end();
    } catch (cause) {
      const { message } = connectionFault ?? (cause instanceof Error ? cause : new Error(String(cause)));
      faults.push(`${formatEndpoint(endpoint)} says: ${message}`);
    }
  });
  try {
    await Promise.race([ended, Promise.all(all)]);
  } finally {
    clearTimeout(timer);
    for (const { client } of clients) client.disconnect();
  }
  const [first, ...others] = answers;
  if (first === undefined) throw new Error(faults.join('; ') || 'nobody answers who could know where it is');
  return [first, ...others];
}

interface ClientOptions {
  readonly login: Login;
  readonly tls: RedisServer['tls'];
  readonly timeoutMs: number;
}

/** A connection for one question. It connects when it is asked, and what it is asked never outlasts the time. */
function openClient(endpoint: Endpoint, { login, tls, timeoutMs }: ClientOptions): Redis {
  return new Redis({
    ...socketOptions(endpoint, tls),
    ...(login.user !== undefined && { username: login.user }),
    ...(login.password !== undefined && { password: login.password }),
    lazyConnect: true,
    protocol: 2,
    connectionName: 'keygate-find',
    disableClientInfo: true,
    enableReadyCheck: false,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    disconnectTimeout: 100,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
}

interface Primary {
  readonly endpoint: Endpoint;
  /** Grows with each failover: the Sentinel with the highest is the one that knows the latest. */
  readonly epoch: number;
}

/** The reply is a list of names and values in turn. */
function readPrimary(reply: unknown): Primary {
  const list = Array.isArray(reply) ? reply.map(String) : [];
  const valueOf = (name: string) => list[list.findIndex((text, index) => index % 2 === 0 && text === name) + 1];
  const [host, port, epoch] = [valueOf('ip'), Number(valueOf('port')), Number(valueOf('config-epoch'))];
  if (host === undefined || !Number.isInteger(port) || !Number.isInteger(epoch)) {
    throw new Error('its answer to SENTINEL MASTER cannot be read');
  }
  return { endpoint: { host, port }, epoch };
}

function newest([first, ...others]: readonly [Primary, ...Primary[]]): Endpoint {
  return others.reduce((best, one) => (one.epoch > best.epoch ? one : best), first).endpoint;
}

/**
 * The owner of the slot and its replicas, from ranges as `[start, end, owner, replica…]`, each node `[host, port, …]`.
 * Nothing if nobody owns it. A node that does not know its own name leaves it out: it is then the one that was asked.
 */
function readSlotNodes(reply: unknown, { slot, from }: { slot: number; from: Endpoint }): readonly Endpoint[] {
  if (!Array.isArray(reply)) throw new Error('its answer to CLUSTER SLOTS cannot be read');
  for (const range of reply as readonly unknown[]) {
    const [start, end, ...nodes] = Array.isArray(range) ? (range as readonly unknown[]) : [];
    if (Number(start) > slot || !(slot <= Number(end))) continue;
    return nodes.flatMap((node) => {
      const [host, port] = Array.isArray(node) ? (node as readonly unknown[]) : [];
      const isNamed = typeof host === 'string' && host !== '' && host !== '?';
      return Number.isInteger(port) ? [{ host: isNamed ? host : from.host, port: Number(port) }] : [];
    });
  }
  return [];
}

/** Most agree about the owner; where they do not, whoever was cut off is outvoted. */
function mostNamed(answers: readonly (readonly Endpoint[])[]): readonly Endpoint[] {
  const votes = new Map<string, { nodes: readonly Endpoint[]; count: number }>();
  for (const nodes of answers) {
    const [owner] = nodes;
    if (owner === undefined) continue;
    const vote = votes.get(formatEndpoint(owner)) ?? { nodes, count: 0 };
    votes.set(formatEndpoint(owner), { ...vote, count: vote.count + 1 });
  }
  return [...votes.values()].reduce((best, vote) => (vote.count > best.count ? vote : best), { nodes: [], count: 0 })
    .nodes;
}

function distinct(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return [...new Map(endpoints.map((endpoint) => [formatEndpoint(endpoint), endpoint])).values()];
}
