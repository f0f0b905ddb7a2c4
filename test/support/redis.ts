import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { randomPort } from './ports.ts';

/** A real redis-server on 127.0.0.1 that can be broken in the ways that real ones break. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  /** Runs one command on a connection of its own. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** It goes on accepting connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Starts it again on the same port, with what it had saved. */
  restart(): Promise<void>;
  /** Ends it for good and leaves nothing behind. */
  stop(): Promise<void>;
}

const START_ATTEMPTS = 5;
const START_TIMEOUT_MS = 10_000;

/** Options of redis.conf by their name; those of a server that is not just any Redis may depend on where it is. */
export type ServerOptions = Readonly<Record<string, string | number>>;

export interface StartOptions {
  /** Beside the usual ones. */
  readonly options?: (place: { port: number; directory: string }) => ServerOptions;
  /** It has a configuration file of its own, empty at first, so that CONFIG REWRITE works. */
  readonly hasFile?: boolean;
  /** What else the server writes into its own configuration file is kept there. */
  readonly sentinelConfig?: string;
}

export async function startRedis(start: StartOptions = {}): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-redis-'));
  const { port, server } = await startOnFreePort(directory, start);
  let current = server;

  async function kill(): Promise<void> {
    if (current.exitCode !== null || current.signalCode !== null) return;
    const exited = once(current, 'exit');
    current.kill('SIGKILL'); // ends a frozen process too
    await exited;
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    command: (name, ...args) => withClient(port, (client) => client.call(name, ...args)),
    kill,
    freeze: () => void current.kill('SIGSTOP'),
    thaw: () => void current.kill('SIGCONT'),
    async restart() {
      await kill();
      current = await startOn(port, directory, start);
    },
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Redis cannot choose a free port itself. Not one of those that the system hands out: while Redis is down its port could
 * be given to another test, or to the very client that tries to connect, which would then talk to itself.
 */
async function startOnFreePort(
  directory: string,
  start: StartOptions,
): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = randomPort();
    try {
      return { port, server: await startOn(port, directory, start) };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startOn(
  port: number,
  directory: string,
  { options, hasFile, sentinelConfig }: StartOptions,
): Promise<ChildProcess> {
  const all = {
    port,
    bind: '127.0.0.1',
    dir: directory,
    daemonize: 'no',
    ...(sentinelConfig === undefined && { save: '', appendonly: 'no' }),
    ...options?.({ port, directory }),
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (hasFile) {
    const file = join(directory, 'redis.conf');
    if (!existsSync(file)) await writeFile(file, '');
    args.unshift(file);
  }
  if (sentinelConfig !== undefined) {
    const file = join(directory, 'sentinel.conf');
    if (!existsSync(file)) await writeFile(file, sentinelConfig);
    args.unshift(file);
    args.push('--sentinel');
  }
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    server.once('error', (cause) =>
      reject(new Error('redis-server is not on the PATH: run test/support/install-redis.sh', { cause })),
    );
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code} on port ${port}`)));
  });
  const endWithTests = () => void server.kill('SIGKILL');
  process.once('exit', endWithTests);
  server.once('exit', () => process.off('exit', endWithTests));
  try {
    await Promise.race([untilItAnswers(port, server.pid), failed]);
    return server;
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
}

/** It and not another server that has the port. */
async function untilItAnswers(port: number, pid: number | undefined): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    try {
      const info = await withClient(port, (client) => client.info('server'));
      if (info.includes(`process_id:${pid}\r\n`)) return;
    } catch {
      // not yet
    }
    await delay(20);
  }
  throw new Error(`redis-server did not answer on port ${port}`);
}

async function withClient<T>(port: number, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    disconnectTimeout: 50,
  });
  client.on('error', () => undefined); // the rejected command says it
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}
