import { isIP } from 'node:net';
import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { StoreError } from '../port.ts';
import { connectionLost, toStoreError } from './faults.ts';
import { indexScripts } from './index-scripts.ts';
import type { IndexedRedis } from './index-scripts.ts';
import { scripts } from './scripts.ts';
import { usageScripts } from './usage-script.ts';

export interface RedisAddress {
  /** redis://[user:password@]host:port[/db], or rediss:// for TLS. */
  readonly url: string;
  /** The authorities, in PEM, that may sign the certificate of a rediss:// store; the system's if not given. */
  readonly ca?: string | undefined;
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
}

const MAX_RETRY_DELAY_MS = 500;

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
  close(): Promise<void>;
}

/**
 * ioredis is made for programs that would rather wait than fail; a gateway would rather fail. Its defaults answer after
 * 73 s when Redis is gone and never when it hangs, and keep every command until then.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const redis = new Redis(toRedisOptions(options)) as IndexedRedis;
  let lastError: Error | undefined;
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

function toRedisOptions(options: ConnectionOptions) {
  const { retryDelayMs: retryDelay } = options;
  return {
    ...readAddress(options),
    scripts: { ...scripts, ...indexScripts, ...usageScripts },
    connectionName: options.name,
    lazyConnect: true,
    // Nothing here needs RESP3; asking for 2 spares older servers and proxies a failed greeting.
    protocol: 2 as const,
    connectTimeout: options.connectTimeoutMs,
    commandTimeout: options.commandTimeoutMs,
    // A command that timed out stays queued; replacing the silent connection is what empties the queue.
    socketTimeout: options.socketTimeoutMs,
    disconnectTimeout: 100,
    keepAlive: 10_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // 0, not 1: with 1, commands under way when the connection drops are neither resent nor rejected.
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: MAX_RETRY_DELAY_MS,
    retryStrategy: retryDelay ? (attempt: number) => retryDelay(attempt) : null,
    // After a failover the old primary answers as a read-only replica: connecting again finds the new one.
    reconnectOnError: retryDelay ? (error: Error) => error.message.startsWith('READONLY') : null,
  } satisfies RedisOptions;
}

/**
 * Read here and not by ioredis, which would let the URL's query override every option above. What is wrong with it is not
 * repeated: it holds the password.
 */
function readAddress({ url, ca }: RedisAddress) {
  const address = parseUrl(url);
  if (address === undefined) {
    throw new StoreError(
      'unavailable',
      'store.redis.url must be redis://[user:password@]host:port[/db], or rediss://… for TLS.',
    );
  }
  const { isTls, ...rest } = address;
  const servername = isIP(rest.host) === 0 ? { servername: rest.host } : {};
  return { ...rest, ...(isTls && { tls: { ...servername, ...(ca !== undefined && { ca }) } }) } satisfies RedisOptions;
}

function parseUrl(url: string) {
  try {
    const { protocol, hostname, port, username, password, pathname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const isOurs = protocol === 'redis:' || protocol === 'rediss:';
    if (!isOurs || host === '' || !/^\/?[0-9]*$/.test(pathname)) return undefined;
    return {
      isTls: protocol === 'rediss:',
      host,
      port: port === '' ? 6379 : Number(port),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      db: Number(pathname.slice(1)),
    };
  } catch {
    return undefined;
  }
}
