import { Redis } from 'ioredis';
import type { Command, RedisOptions } from 'ioredis';
import { patientTimeout } from '../../patient-timeout.ts';
import { connectorClass } from './connector.ts';
import type { ServerFacts } from './connector.ts';
import { connectionLost, TIMED_OUT, toStoreError } from './faults.ts';
import { createFindServer } from './find-server.ts';
import { indexScripts } from './index-scripts.ts';
import type { IndexedRedis } from './index-scripts.ts';
import { keyNames, scripts } from './scripts.ts';
import type { RedisServer } from './server.ts';
import { usageScripts } from './usage-script.ts';

export interface RedisAddress {
  readonly server: RedisServer;
  /** What all our names begin with. */
  readonly prefix: string;
  readonly connectTimeoutMs: number;
}

export interface ConnectionOptions extends RedisAddress {
  /** The name in CLIENT LIST. */
  readonly name: string;
  /** The longest a command may wait for its reply. */
  readonly commandTimeoutMs: number;
  /** A connection that is silent this long while a reply is due is closed. */
  readonly socketTimeoutMs: number;
  /** The wait before the n-th attempt to connect again; without it a lost connection stays lost. */
  readonly retryDelayMs?: (attempt: number) => number;
  /** Hears of each server that was connected to, before the first command. */
  readonly met?: (facts: ServerFacts) => void;
}

const MAX_RETRY_DELAY_MS = 500;
const DISCONNECT_TIMEOUT_MS = 100;

/** 25 to 50 ms at first, 250 to 500 ms later: soon back, and not all gateways at the same moment. */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(50 * 2 ** Math.min(attempt - 1, 10), MAX_RETRY_DELAY_MS);
  return ceiling / 2 + (random() * ceiling) / 2;
}

export interface Connection {
  /** Runs commands; whatever goes wrong comes out as a StoreError, in bounded time. */
  run<T>(commands: (redis: IndexedRedis) => Promise<T>): Promise<T>;
  /** Resolves when the connection is ready, rejects with a StoreError when the first attempt fails. */
  readonly ready: Promise<void>;
  /** Connects again: this server turned out not to be the one that is meant any more. */
  reconnect(): void;
  close(): Promise<void>;
}

/**
 * ioredis is made for programs that would rather wait than fail; a gateway would rather fail. Its defaults answer after
 * 73 s when Redis is gone and never when it hangs, and keep every command until then.
 */
export function openConnection(options: ConnectionOptions): Connection {
  let lastError: Error | undefined;
  const redis = new PatientRedis(
    toRedisOptions(options, (error) => (lastError = error)),
    options.commandTimeoutMs,
  ) as Redis as IndexedRedis;
  // Without a listener ioredis prints each error; what it says is kept for the StoreErrors that follow from it.
  redis.on('error', (error: Error) => (lastError = error));
  redis.on('ready', () => (lastError = undefined));

  const ready = firstAttempt(redis, options).catch((cause: unknown) => {
    throw connectionLost(lastError ?? cause);
  });
  // Commands wait for the outcome of the first attempt, so that a command can follow the opening at once.
  const settled = ready.catch(() => undefined);

  return {
    ready,
    async run(commands) {
      if (redis.status !== 'ready') await settled;
      try {
        return await commands(redis);
      } catch (cause) {
        throw redis.status === 'ready' ? toStoreError(cause) : toStoreError(cause, lastError);
      }
    },
    reconnect() {
      if (redis.status === 'ready') redis.disconnect(true);
    },
    async close() {
      if (redis.status === 'end') return;
      // Between two attempts there is no socket whose end could be waited for: ioredis then says nothing.
      const hasSocket = redis.status !== 'reconnecting';
      const ended = new Promise<void>((resolve) => redis.once('end', () => resolve()));
      redis.disconnect();
      if (hasSocket) await ended;
    },
  };
}

/** In place of ioredis' commandTimeout, which takes a stall of ours for one of Redis. */
class PatientRedis extends Redis {
  readonly #replyTimeoutMs: number;

  constructor(options: ReturnType<typeof toRedisOptions>, replyTimeoutMs: number) {
    super(options);
    this.#replyTimeoutMs = replyTimeoutMs;
  }

  override sendCommand(command: Command, ...stream: unknown[]): unknown {
    const timer = patientTimeout(() => command.reject(new Error(TIMED_OUT)), this.#replyTimeoutMs);
    const settled = (): void => clearTimeout(timer);
    command.promise.then(settled, settled);
    return super.sendCommand(command, ...(stream as []));
  }
}

/** Bounded as a whole: a Redis that is loading its data set accepts connections long before it serves. */
async function firstAttempt(redis: Redis, { connectTimeoutMs, commandTimeoutMs }: ConnectionOptions): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it does not become ready')), connectTimeoutMs + commandTimeoutMs);
  });
  try {
    await Promise.race([redis.connect(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function toRedisOptions(options: ConnectionOptions, failed: (cause: Error) => void) {
  const { server, connectTimeoutMs, retryDelayMs: retryDelay } = options;
  const isFound = server.whereabouts.kind !== 'standalone';
  return {
    Connector: connectorClass({
      // Half of the time, so that the other half is left for connecting.
      find: createFindServer({
        server,
        slotKey: keyNames(options.prefix).digests,
        timeoutMs: connectTimeoutMs / 2,
      }),
      tls: server.tls,
      mustBePrimary: isFound,
      disconnectTimeoutMs: DISCONNECT_TIMEOUT_MS,
      met: (facts) => options.met?.(facts),
      failed,
    }),
    // What is in it is for the connector; that it is there tells ioredis to wait for the end of the TLS handshake.
    ...(server.tls && { tls: {} }),
    ...(server.login.user !== undefined && { username: server.login.user }),
    ...(server.login.password !== undefined && { password: server.login.password }),
    db: server.database,
    scripts: { ...scripts, ...indexScripts, ...usageScripts },
    connectionName: options.name,
    disableClientInfo: true,
    lazyConnect: true,
    // Nothing here needs RESP3; asking for 2 spares older servers and proxies a failed greeting.
    protocol: 2 as const,
    connectTimeout: connectTimeoutMs,
    // A command that timed out stays queued; replacing the silent connection is what empties the queue.
    socketTimeout: options.socketTimeoutMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // 0, not 1: with 1, commands under way when the connection drops are neither resent nor rejected.
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: MAX_RETRY_DELAY_MS,
    retryStrategy: retryDelay ? (attempt: number) => retryDelay(attempt) : null,
    reconnectOnError: retryDelay ? (error: Error) => isOfAnotherServer(error, isFound) : null,
  } satisfies RedisOptions;
}

/**
 * After a failover the old primary answers as a read-only replica, and a node of a Cluster that lost our slot says who has
 * it, or that it cannot tell: connecting again finds the right one.
 */
function isOfAnotherServer({ message }: Error, isFound: boolean): boolean {
  return message.startsWith('READONLY') || (isFound && /^(?:MOVED|ASK|CLUSTERDOWN) /.test(message));
}
